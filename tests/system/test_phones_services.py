"""Beyond a plain call: conference, transfers, redirection, messages, and phones of another make."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from system.baresip import Baresip
from system.capture import Capture, Trace
from system.lan import HUB
from system.phone_lab import (
    ANSWERED,
    Lab,
    assert_answered_record,
    connect,
    place_call,
    standing_lab,
    wait_talk,
    wait_told,
)
from system.tools import require_tools

pytest_plugins = ["system.phone_fixtures"]
pytestmark = [pytest.mark.system, pytest.mark.phones]

RING_S = 60
"""Longer than any test lets it ring: of itself no phone refuses a call."""


@pytest.fixture(scope="module", params=["udp", "tcp"])
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab, whose phones register over UDP, or over TCP."""
    home, environment = tmp_path_factory.mktemp("phones"), {"SWITCHBOARD_KEEP_MESSAGES_DAYS": "7"}
    with standing_lab(home, environment, ring_s=RING_S, transport=request.param) as lab:
        yield lab


def test_conference_mixed_by_one_phone(lab: Lab, wire: Capture) -> None:
    first, at_lenka = connect(lab.peter, lab.lenka)
    lab.peter.pause(first)
    lab.lenka.wait_paused(at_lenka)
    second, at_lukas = connect(lab.peter, lab.lukas)
    lab.peter.conference([first, second])
    wire.wait_for(lambda trace: _mixes(trace, lab), "media between the mixing phone and both others")
    wire.wait_for(lambda trace: _watches(trace, lab), "subscriptions to the conference")
    lab.peter.hang_up_all()
    lab.lenka.wait_ended(at_lenka)
    lab.lukas.wait_ended(at_lukas)

    wait_told(wire, lab.peter, ANSWERED, call=0)
    trace = wait_told(wire, lab.peter, ANSWERED, call=1)
    with_lenka, with_lukas = trace.calls(lab.peter.address)
    assert_answered_record(lab, with_lenka, lab.peter, lab.lenka, ended_by="caller")
    assert_answered_record(lab, with_lukas, lab.peter, lab.lukas, ended_by="caller")


def _mixes(trace: Trace, lab: Lab) -> bool:
    """Whether media flow between the mixing phone and the others since it mixes."""
    since = max(float(invite.time) for invite in trace.requests("INVITE", source=lab.peter.address))
    mixer = lab.peter.address
    others = (lab.lukas.address, lab.lenka.address)
    ways = [way for other in others for way in ((mixer, other), (other, mixer))]
    return all(any(float(packet.time) > since for packet in trace.rtp(*way)) for way in ways)


def _watches(trace: Trace, lab: Lab) -> bool:
    """Whether the mixing phone has been subscribed to (RFC 4575), and another one got an answer."""
    asked = trace.requests("SUBSCRIBE", source=HUB, target=lab.peter.address)
    return bool(asked and trace.responses("SUBSCRIBE", source=HUB, target=lab.lukas.address))


def test_blind_transfer(lab: Lab, wire: Capture) -> None:
    ours, theirs = connect(lab.lukas, lab.lenka)
    lab.lenka.transfer(theirs, "peter")
    lab.peter.answer(incoming := lab.peter.wait_incoming("lukas"))
    lab.peter.wait_media(incoming)
    lab.lenka.wait_transferred(theirs)
    lab.lukas.wait_ended(ours)
    lab.peter.hang_up(incoming)
    lab.lukas.wait_ended(ours + 1)

    trace = wait_told(wire, lab.lukas, ANSWERED, call=1)
    first, second = trace.calls(lab.lukas.address)
    assert {r.status for r in trace.responses("REFER", target=lab.lenka.address)} == {"202 Prijaté"}
    assert_answered_record(lab, first, lab.lukas, lab.lenka, ended_by="callee")
    assert_answered_record(lab, second, lab.lukas, lab.peter, ended_by="callee")


def test_attended_transfer(lab: Lab, wire: Capture) -> None:
    ours, theirs = connect(lab.lukas, lab.lenka)
    lab.lenka.pause(theirs)
    consultation, at_peter = connect(lab.lenka, lab.peter)
    lab.lenka.attended_transfer(theirs, consultation)
    replacing = lab.peter.wait_incoming("lukas")
    lab.peter.wait_media(replacing)
    lab.lenka.wait_transferred(theirs)
    lab.lukas.wait_ended(ours)
    lab.peter.wait_ended(at_peter)
    lab.peter.hang_up(replacing)
    lab.lukas.wait_ended(ours + 1)

    trace = wire.read()
    [consulted] = trace.calls(lab.lenka.address)
    first, second = trace.calls(lab.lukas.address)
    assert_answered_record(lab, first, lab.lukas, lab.lenka, ended_by="callee")
    assert_answered_record(lab, consulted, lab.lenka, lab.peter, ended_by="callee")
    assert_answered_record(lab, second, lab.lukas, lab.peter, ended_by="callee")


def test_redirect_by_the_callee(lab: Lab, wire: Capture) -> None:
    ours, theirs = place_call(lab.lukas, lab.lenka)
    lab.lenka.redirect("peter")
    lab.lenka.wait_ended(theirs)
    lab.peter.answer(incoming := lab.peter.wait_incoming("lukas"))
    lab.lukas.wait_media(ours)
    lab.lukas.hang_up(ours)
    lab.peter.wait_ended(incoming)

    trace = wait_told(wire, lab.lukas, ANSWERED)
    assert trace.responses("INVITE", source=lab.lenka.address)[-1].status.startswith("302 ")
    [call_id] = trace.calls(lab.lukas.address)
    assert_answered_record(lab, call_id, lab.lukas, lab.lenka, ended_by="caller")


def test_forwarded_when_nobody_answers(lab: Lab, wire: Capture) -> None:
    """Everybody is killed while it rings at the second phone."""
    with forwarded(lab, "lenka", "peter"):
        ours, theirs = place_call(lab.lukas, lab.lenka)
        incoming = lab.peter.wait_incoming("lukas")
        lab.lenka.wait_ended(theirs)
        for pid in [each["pid"] for each in lab.switchboard.components()]:
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
        lab.switchboard.wait_up()
        lab.peter.answer(incoming)
        wait_talk(wire, lab.lukas, lab.peter)
        lab.lukas.hang_up(ours)
        lab.peter.wait_ended(incoming)

    trace = wait_told(wire, lab.lukas, ["100", "180", "181", "200"])
    [call_id] = trace.calls(lab.lukas.address)
    record = assert_answered_record(lab, call_id, lab.lukas, lab.lenka, ended_by="caller")
    assert record["forwarded"] == [{"by": "lenka", "to": "peter", "why": "no_answer"}]


@contextmanager
def forwarded(lab: Lab, user: str, to: str) -> Iterator[None]:
    """Calls of `user` go on to another one where nobody answers them in 5 s."""
    lab.switchboard.cli("forward", user, "--no-answer", to, "--after", "5")
    try:
        yield
    finally:
        lab.switchboard.cli("forward", user, "--off")


def test_chat(lab: Lab, wire: Capture) -> None:
    lab.lukas.chat("lenka", "Dobrý deň, Lenka! Voláš?")
    assert lab.lenka.wait_message("lukas") == "Dobrý deň, Lenka! Voláš?"

    trace = wire.wait_for(lambda trace: trace.responses("MESSAGE", target=lab.lukas.address), "200")
    assert trace.responses("MESSAGE", target=lab.lukas.address)[0].status == "200 V poriadku"
    [sent] = {message.body for message in trace.requests("MESSAGE", source=lab.lukas.address)}
    [received] = {message.body for message in trace.requests("MESSAGE", target=lab.lenka.address)}
    assert received == sent


def test_a_text_waits_for_a_phone_that_is_off(lab: Lab, wire: Capture) -> None:
    """Its report that the text has come (RFC 5438) gets back to the sender, too."""
    lab.lenka.unregister()
    wire.wait_for(lambda trace: trace.responses("REGISTER", target=lab.lenka.address), "its end")
    lab.lukas.chat("lenka", "Zavolaj mi.")
    trace = wire.wait_for(lambda trace: trace.responses("MESSAGE", target=lab.lukas.address), "202")
    assert trace.responses("MESSAGE", target=lab.lukas.address)[0].status == "202 Prijaté"
    lab.lenka.register()
    assert lab.lenka.wait_message("lukas") == "Zavolaj mi."
    wire.wait_for(lambda trace: trace.requests("MESSAGE", target=lab.lukas.address), "the report")


def test_call_from_baresip(lab: Lab, wire: Capture, tmp_path: Path) -> None:
    require_tools("baresip")
    with Baresip(lab.lan, "guest", "martin", tmp_path / "baresip") as martin:
        martin.call("lukas")
        lab.lukas.answer(call := lab.lukas.wait_incoming("martin"))
        martin.wait_connected()
        lab.lukas.wait_media(call)
        martin.hang_up()
        lab.lukas.wait_ended(call)
        trace = wait_told(wire, martin, ANSWERED)
        [call_id] = trace.calls(martin.address)
        assert_answered_record(lab, call_id, martin, lab.lukas, ended_by="caller")


def test_call_to_baresip(lab: Lab, wire: Capture, tmp_path: Path) -> None:
    require_tools("baresip")
    with Baresip(lab.lan, "guest", "martin", tmp_path / "baresip") as martin:
        call = lab.lukas.call("martin")
        martin.wait_incoming("lukas")
        martin.answer()
        martin.wait_connected()
        lab.lukas.wait_media(call)
        lab.lukas.hang_up(call)
        martin.wait_ended()
        trace = wait_told(wire, lab.lukas, ["100", "180", "200"])
        [call_id] = trace.calls(lab.lukas.address)
        assert_answered_record(lab, call_id, lab.lukas, martin, ended_by="caller")


def test_call_from_sipp(lab: Lab, wire: Capture, tmp_path: Path) -> None:
    require_tools("sipp")
    scenario = ["-sn", "uac", "-s", "lenka", "-m", "1", "-d", "200", "-timeout", "20", "-timeout_error"]
    address = lab.lan.addresses["guest"]
    command = lab.lan.command("guest", "sipp", *scenario, "-nostdin", "-i", address, f"{HUB}:5060")
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as sipp:
        lab.lenka.answer(call := lab.lenka.wait_incoming("sipp"))
        lab.lenka.wait_ended(call)
        output, _ = sipp.communicate(timeout=30)
    assert sipp.returncode == 0, output

    trace = wire.read()
    told = trace.responses("INVITE", target=address)
    assert list(dict.fromkeys(response.status for response in told)) == list(ANSWERED)
    [call_id] = trace.calls(address)
    record = lab.switchboard.wait_record(call_id)
    assert (record["outcome"], record["ended_by"]) == ("answered", "caller"), record
