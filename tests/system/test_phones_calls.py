"""Calls between real Linphone phones: how they begin, ring, end or fail, on the wire and in the journal."""

import re

import pytest
from system.capture import Capture
from system.lan import HUB
from system.phone_lab import (
    ANSWERED,
    Lab,
    assert_answered_record,
    assert_record,
    connect,
    place_call,
    wait_talk,
    wait_told,
)

pytest_plugins = ["system.phone_fixtures"]
pytestmark = [pytest.mark.system, pytest.mark.phones]


@pytest.mark.parametrize("hangs_up", ["caller", "callee"])
def test_call_and_talk(lab: Lab, wire: Capture, hangs_up: str) -> None:
    ours, theirs = connect(lab.lukas, lab.lenka)
    wait_talk(wire, lab.lukas, lab.lenka)
    if hangs_up == "caller":
        lab.lukas.hang_up(ours)
    else:
        lab.lenka.hang_up(theirs)
    assert lab.lukas.wait_ended(ours) == lab.lenka.wait_ended(theirs) == "No error"

    trace = wait_told(wire, lab.lukas, ANSWERED)
    [call_id] = trace.calls(lab.lukas.address)
    assert_answered_record(lab, call_id, lab.lukas, lab.lenka, ended_by=hangs_up)


def test_goodbye_is_translated_for_who_says_it(lab: Lab, wire: Capture) -> None:
    ours, theirs = connect(lab.lukas, lab.lenka)
    lab.lenka.hang_up(theirs)
    lab.lukas.wait_ended(ours)

    farewell = wire.wait_for(lambda trace: trace.responses("BYE", target=lab.lenka.address), "200 for BYE")
    assert farewell.responses("BYE", target=lab.lenka.address)[0].status == "200 V poriadku"


def test_nobody_answers(lab: Lab, wire: Capture) -> None:
    ours, theirs = place_call(lab.lukas, lab.lenka)
    assert lab.lenka.wait_ended(theirs) == "Busy"
    assert lab.lukas.wait_ended(ours) == "error"

    trace = wait_told(wire, lab.lukas, ["100 Skúšanie", "180 Zvonenie", "486 Obsadené"])
    [call_id] = trace.calls(lab.lukas.address)
    assert_record(lab, call_id, lab.lukas, "lenka", outcome="busy", status=486, ended_by="callee", rang=True)


def test_caller_hangs_up_while_it_rings(lab: Lab, wire: Capture) -> None:
    ours, theirs = place_call(lab.lukas, lab.lenka)
    lab.lukas.hang_up(ours)
    assert lab.lukas.wait_ended(ours) == "No error"
    assert lab.lenka.wait_ended(theirs) == "Not answered"

    trace = wait_told(wire, lab.lukas, ["100 Skúšanie", "180 Zvonenie", "487 Žiadosť zrušená"])
    assert trace.responses("CANCEL", target=lab.lukas.address)[0].status == "200 V poriadku"
    [call_id] = trace.calls(lab.lukas.address)
    assert_record(
        lab, call_id, lab.lukas, "lenka", outcome="cancelled", status=487, ended_by="caller", rang=True
    )


def test_callee_declines(lab: Lab, wire: Capture) -> None:
    ours, theirs = place_call(lab.lukas, lab.lenka)
    lab.lenka.decline(theirs)
    assert lab.lukas.wait_ended(ours) == lab.lenka.wait_ended(theirs) == "Call declined"

    trace = wait_told(wire, lab.lukas, ["100 Skúšanie", "180 Zvonenie", "603 Odmietnutie"])
    [call_id] = trace.calls(lab.lukas.address)
    assert_record(
        lab, call_id, lab.lukas, "lenka", outcome="declined", status=603, ended_by="callee", rang=True
    )


def test_callee_is_busy_with_another_call(lab: Lab, wire: Capture) -> None:
    first, _ = connect(lab.lenka, lab.zuzana)
    second = lab.lukas.call("zuzana")
    assert lab.lukas.wait_ended(second) == "error"
    lab.lenka.hang_up(first)
    lab.lenka.wait_ended(first)

    trace = wait_told(wire, lab.lukas, ["100 Skúšanie", "486 Obsadené"])
    [refused] = trace.calls(lab.lukas.address)
    assert_record(
        lab, refused, lab.lukas, "zuzana", outcome="busy", status=486, ended_by="callee", rang=False
    )
    [undisturbed] = trace.calls(lab.lenka.address)
    assert_answered_record(lab, undisturbed, lab.lenka, lab.zuzana, ended_by="caller")


def test_hold_and_resume(lab: Lab, wire: Capture) -> None:
    ours, theirs = connect(lab.lukas, lab.lenka)
    lab.lukas.pause(ours)
    lab.lenka.wait_paused(theirs)
    lab.lukas.resume(ours)
    lab.lenka.wait_media(theirs)
    again = [invite for invite in wire.read().requests("INVITE", target=HUB) if invite.to_tag]
    held, resumed = {invite.cseq: invite for invite in again}.values()
    wait_talk(wire, lab.lukas, lab.lenka, after_s=float(resumed.time))
    lab.lukas.hang_up(ours)
    lab.lenka.wait_ended(theirs)

    assert b"a=sendonly" in held.body
    assert b"a=sendonly" not in resumed.body
    [call_id] = wire.read().calls(lab.lukas.address)
    assert_answered_record(lab, call_id, lab.lukas, lab.lenka, ended_by="caller")


def test_video_offered(lab: Lab, wire: Capture) -> None:
    ours, theirs = lab.lukas.call("lenka", video=True), lab.lenka.wait_incoming("lukas")
    lab.lenka.answer(theirs)
    assert lab.lukas.wait_media(ours) == lab.lenka.wait_media(theirs) == "video"
    trace = wait_talk(wire, lab.lukas, lab.lenka)
    lab.lenka.hang_up(theirs)
    lab.lukas.wait_ended(ours)

    [offered] = {invite.body for invite in trace.requests("INVITE", source=lab.lukas.address)}
    [forwarded] = {invite.body for invite in trace.requests("INVITE", target=lab.lenka.address)}
    assert b"m=video 9078" in offered
    assert forwarded == offered
    [call_id] = trace.calls(lab.lukas.address)
    assert_answered_record(lab, call_id, lab.lukas, lab.lenka, ended_by="callee")


def test_callee_is_not_registered(lab: Lab, wire: Capture) -> None:
    lab.zuzana.unregister()
    wire.wait_for(lambda trace: trace.responses("REGISTER", target=lab.zuzana.address), "200 for REGISTER")
    try:
        assert lab.lukas.wait_ended(lab.lukas.call("zuzana")) == "error"
    finally:
        lab.zuzana.register()

    trace = wait_told(wire, lab.lukas, ["480 Dočasne nedostupný"])
    [call_id] = trace.calls(lab.lukas.address)
    assert_record(
        lab,
        call_id,
        lab.lukas,
        "zuzana",
        outcome="unreachable",
        status=480,
        ended_by="switchboard",
        rang=False,
    )


def test_unknown_user(lab: Lab, wire: Capture) -> None:
    assert lab.lukas.wait_ended(lab.lukas.call("nobody")) == "error"

    trace = wait_told(wire, lab.lukas, ["404 Nenájdené"])
    [call_id] = trace.calls(lab.lukas.address)
    assert_record(
        lab,
        call_id,
        lab.lukas,
        "nobody",
        outcome="unreachable",
        status=404,
        ended_by="switchboard",
        rang=False,
    )


@pytest.mark.parametrize("hangs_up", ["caller", "callee"])
def test_each_phone_names_its_gruu_and_gets_its_own_contact(lab: Lab, wire: Capture, hangs_up: str) -> None:
    """Linphone writes the GRUU of its registration into Contact (RFC 5627 §4.4.1); requests arrive for its contact."""
    ours, theirs = connect(lab.lukas, lab.lenka)
    phone, other = (lab.lukas, lab.lenka) if hangs_up == "caller" else (lab.lenka, lab.lukas)
    phone.hang_up(ours if phone is lab.lukas else theirs)
    lab.lukas.wait_ended(ours)
    lab.lenka.wait_ended(theirs)

    trace = wire.read()
    gruu = rf"sip:{other.user}@{HUB};gr=urn:uuid:\S+"
    for method in ("ACK", "BYE") if hangs_up == "caller" else ("BYE",):
        assert re.fullmatch(gruu, trace.requests(method, source=phone.address)[0].uri)
        arrived = trace.requests(method, target=other.address)[0].uri
        assert arrived.startswith(f"sip:{other.user}@{other.address}")
