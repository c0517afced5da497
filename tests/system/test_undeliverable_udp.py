"""A phone that is gone: its machine says so (ICMP), and the caller hears at once (RFC 3261 §18.4)."""

import time

import pytest
from system.dialog import answer_call, hang_up, place_call
from system.harness import Switchboard
from system.net import Net
from system.user_agent import UserAgent, registered

pytestmark = pytest.mark.system

AT_ONCE_S = 10.0
"""Without the error it would be 32 s."""


@pytest.fixture
def caller(net: Net) -> UserAgent:
    return registered(net, "kristian")


def gone(net: Net, name: str, q: float | None = None) -> str:
    """Register a phone and unplug it; return whom to call."""
    phone = registered(net, name, q)
    phone.close()
    return phone.aor


def test_the_caller_hears_at_once(net: Net, switchboard: Switchboard, caller: UserAgent) -> None:
    began = time.monotonic()
    invite = caller.invite(gone(net, "lukas"))
    invite.expect(500)
    assert time.monotonic() - began < AT_ONCE_S
    record = switchboard.wait_record(invite.request.call_id)
    assert (record["outcome"], record["status"], record["ended_by"]) == ("unreachable", 500, "switchboard")


def test_so_does_who_sends_a_message(net: Net, caller: UserAgent) -> None:
    caller.ask("MESSAGE", gone(net, "lukas"), body=b"x").expect(500, AT_ONCE_S)


def test_the_other_phone_rings_on(net: Net, switchboard: Switchboard, caller: UserAgent) -> None:
    gone(net, "lukas")
    living = registered(net, "lukas")
    invite = caller.invite(living.aor)
    incoming = living.expect("INVITE")
    incoming.reply(180)
    invite.expect(180)
    net.listen(0.1)
    assert max(invite.statuses()) == 180
    call = answer_call(caller, invite, living, incoming)
    hang_up(call.caller, call.callee)
    assert switchboard.wait_record(call.call_id)["outcome"] == "answered"


def test_the_next_phone_rings_at_once(net: Net, caller: UserAgent) -> None:
    gone(net, "lukas", 0.9)
    next_one = registered(net, "lukas", 0.5)
    invite = caller.invite(next_one.aor)
    incoming = next_one.expect("INVITE", AT_ONCE_S)
    call = answer_call(caller, invite, next_one, incoming)
    hang_up(call.caller, call.callee)


@pytest.mark.parametrize("name", ["edge-rx", "edge-tx"])
@pytest.mark.parametrize("how", ["killed", "restarted"])
def test_it_lasts_when_the_edge_is_replaced(
    net: Net, switchboard: Switchboard, caller: UserAgent, name: str, how: str
) -> None:
    dialled = gone(net, "lukas")
    if how == "restarted":
        switchboard.cli("restart", name)
    else:
        old = switchboard.kill(name)
        switchboard.wait_component(name, lambda one: one["state"] == "up" and one["pid"] != old)
    caller.invite(dialled).expect(500, AT_ONCE_S)


def test_calls_among_the_living_lose_nothing(net: Net, caller: UserAgent) -> None:
    """Errors come all the time, and phones here do not send again: each datagram counts."""
    dialled = gone(net, "martin")
    callee = registered(net, "lukas")
    for _ in range(20):
        lost = [caller.invite(dialled) for _ in range(3)]
        call = place_call(caller, callee)
        for each in lost:
            each.expect(500, AT_ONCE_S)
        hang_up(call.callee, call.caller)
