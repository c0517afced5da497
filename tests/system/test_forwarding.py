"""Who is called when, on a running switchboard: busy, no answer, groups; and kills while a call is forwarded."""

import os
import signal

import pytest
from system.dialog import answer_call, hang_up
from system.harness import Switchboard, wait_until
from system.net import Net
from system.user_agent import UserAgent, registered

pytestmark = pytest.mark.system


@pytest.fixture
def caller(net: Net) -> UserAgent:
    return registered(net, "eva")


def test_busy(switchboard: Switchboard, caller: UserAgent, lenka: UserAgent, lukas: UserAgent) -> None:
    switchboard.cli("forward", lenka.user, "--busy", lukas.user)
    invite = caller.invite(lenka.aor)
    lenka.expect("INVITE").reply(486)
    incoming = lukas.expect("INVITE")
    history = incoming.request.values("history-info")
    assert [each.rpartition(">;")[2] for each in history] == [
        "index=1",
        "index=1.1;mp=1",
        "index=1.1.1;rc=1.1",
    ]
    assert "Reason=SIP%3Bcause%3D486" in history[0]
    invite.expect(181)
    call = answer_call(caller, invite, lukas, incoming)
    hang_up(call.callee, call.caller)
    record = switchboard.wait_record(call.call_id)
    assert record["forwarded"] == [{"by": lenka.user, "to": lukas.user, "why": "busy"}]
    told = wait_until(lambda: explained(switchboard, call.call_id), "the account of the call")
    assert f"{lenka.user} was busy, so the call went to {lukas.user}." in told
    assert f"{lukas.user} answered" in told


def test_no_answer_and_then_a_group_that_survives_kills_of_every_worker(
    switchboard: Switchboard, net: Net, caller: UserAgent, lenka: UserAgent, lukas: UserAgent
) -> None:
    peter = registered(net, "peter")
    group = f"office-{net.run}"
    switchboard.cli("group", "add", group, lukas.user, peter.user, "--after", "120")
    switchboard.cli("forward", lenka.user, "--no-answer", f"group:{group}", "--after", "1")
    invite = caller.invite(lenka.aor)
    first = lenka.expect("INVITE")
    first.reply(180)
    at_lukas, at_peter = lukas.expect("INVITE"), peter.expect("INVITE")
    cancel = lenka.expect("CANCEL")
    assert 'text="Not answered in time"' in cancel.request.get("reason")
    cancel.reply(200)
    first.reply(487)
    for ringing in (at_lukas, at_peter):
        ringing.reply(180)
    for worker in [each["pid"] for each in switchboard.components()]:
        if worker is not None:
            os.kill(worker, signal.SIGKILL)
    switchboard.wait_up()
    call = answer_call(caller, invite, peter, at_peter)
    lukas.expect("CANCEL").reply(200)
    at_lukas.reply(487)
    hang_up(call.caller, call.callee)
    record = switchboard.wait_record(call.call_id)
    assert record["outcome"] == "answered"
    assert record["forwarded"] == [
        {"by": lenka.user, "to": f"group:{group}", "why": "no_answer"},
        {"by": f"group:{group}", "to": peter.user, "why": "taken"},
    ]


def explained(switchboard: Switchboard, call_id: str) -> str | None:
    """The account, once the history has the end of the call."""
    told = switchboard.cli("explain", call_id, check=False).stdout
    return told if "hung up" in told else None


def test_do_not_disturb_and_a_change_for_the_next_call(
    switchboard: Switchboard, caller: UserAgent, lenka: UserAgent
) -> None:
    switchboard.cli("dnd", lenka.user, "on")
    refused = caller.invite(lenka.aor)
    assert "Do Not Disturb" in refused.expect(480).get("warning")
    caller.ask("MESSAGE", lenka.aor, body=b"x")
    lenka.expect("MESSAGE").reply(200)
    switchboard.cli("dnd", lenka.user, "off")
    invite = caller.invite(lenka.aor)
    call = answer_call(caller, invite, lenka, lenka.expect("INVITE"))
    hang_up(call.caller, call.callee)
    assert "forwarded" not in switchboard.wait_record(call.call_id)
