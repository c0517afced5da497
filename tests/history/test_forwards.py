"""The accounts of calls that obey rules of users and groups."""

import pytest
from history.wire import LENKA, LUKAS, Wire, acknowledged, answered, invited, request, response

from switchboard.history.explain import explain
from switchboard.history.seen import Address

PETER = Address("10.0.0.4", 5060)
BUSY = "<sip:lenka@example.org?Reason=SIP%3Bcause%3D486>;index=1"
SILENT = "<sip:lenka@example.org?Reason=SIP%3Bcause%3D408>;index=1"
TO_PETER = "<sip:peter@example.org>;index=1.1;mp=1, <sip:peter@10.0.0.4>;index=1.1.1;rc=1.1"


def goes_on(wire: Wire, *entries: str, branch: str = "sb2", to: Address = PETER) -> None:
    """The switchboard sends the INVITE to another phone, with this history."""
    line = f"History-Info: {', '.join(entries)}\r\n"
    wire.leaves(to, request("INVITE", "sip:peter@10.0.0.4", (branch, "b"), extra=line))


def answers(wire: Wire, status: int, phrase: str, branch: str = "sb2", source: Address = PETER) -> None:
    before = response(status, phrase, (branch, "b"))
    wire.passes(source, LUKAS, before, response(status, phrase))


def test_busy() -> None:
    wire = Wire()
    invited(wire)
    wire.comes(LENKA, response(486, "Busy Here", ("sb1", "b")))
    goes_on(wire, BUSY, TO_PETER)
    answers(wire, 200, "OK")
    acknowledged(wire)
    assert explain(wire.seen).sentences == [
        "lukas called lenka.",
        "lenka was busy, so the call went to peter.",
        "peter answered at 10.0.0.4:5060.",
        "The call is up, or its end was not seen.",
    ]


def test_no_answer_and_then_nobody_of_a_group() -> None:
    wire = Wire()
    invited(wire)
    answered(wire, 180, "Ringing")
    wire.wait(20)
    goes_on(
        wire, SILENT, "<sip:office@example.org>;index=1.1;mp=1", "<sip:eva@example.org>;index=1.1.1;mp=1.1"
    )
    wire.wait(10)
    office = "<sip:office@example.org?Reason=SIP%3Bcause%3D408%3Btext%3D%22Group%22>;index=1.1;mp=1"
    goes_on(wire, SILENT, office, "<sip:peter@example.org>;index=1.1.1;mp=1.1", branch="sb3")
    answers(wire, 486, "Busy Here", "sb3")
    assert explain(wire.seen).sentences == [
        "lukas called lenka.",
        "lenka did not answer for 20 s, so the call went to office.",
        "Nobody of office took the call for 10 s, so the call went to peter.",
        "The phone rang for 30 s.",
        "peter was busy (486 Busy Here).",
    ]


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("302", "lenka forwards all calls, so the call went to peter."),
        ("480", "No phone of lenka was there, so the call went to peter."),
        (
            "480%3Btext%3D%22Do%20Not%20Disturb%22",
            "lenka did not want to be disturbed, so the call went to peter.",
        ),
        ("499", "lenka did not take the call, so the call went to peter."),
    ],
)
def test_why(reason: str, sentence: str) -> None:
    wire = Wire()
    wire.comes(LUKAS, request("INVITE"))
    goes_on(wire, f"<sip:lenka@example.org?Reason=SIP%3Bcause%3D{reason}>;index=1", TO_PETER, ", x, <")
    account = explain(wire.seen)
    assert account.sentences == ["lukas called lenka.", sentence, "No phone has said anything yet."]


def test_do_not_disturb() -> None:
    wire = Wire()
    wire.comes(LUKAS, request("INVITE"))
    line = 'Warning: 399 switchboard "Do Not Disturb"\r\n'
    wire.leaves(LUKAS, response(480, "Nedostupný", extra=line))
    account = explain(wire.seen)
    assert account.sentences[-1] == "lenka does not want to be disturbed (480 Nedostupný)."
    assert account.advice == ["To let the phones ring again: switchboard dnd lenka off"]


def test_nobody_is_there_to_whom_rules_lead() -> None:
    wire = Wire()
    wire.comes(LUKAS, request("INVITE"))
    wire.leaves(LUKAS, response(181, "Call Is Being Forwarded"))
    wire.leaves(LUKAS, response(480, "Temporarily Unavailable"))
    account = explain(wire.seen)
    assert account.sentences[-1].startswith("The rules of lenka led the call on, and nobody")
    assert account.advice[0].startswith("`switchboard dialplan try lenka`")


def test_a_circle() -> None:
    wire = Wire()
    wire.comes(LUKAS, request("INVITE"))
    line = 'Warning: 399 switchboard "Call Forwarding Loop: lenka, peter, lenka"\r\n'
    wire.leaves(LUKAS, response(482, "Loop Detected", extra=line))
    assert explain(wire.seen).sentences[-1] == (
        "The rules of lenka led the call to nobody: Call Forwarding Loop: lenka, peter, lenka (482 Loop Detected)."
    )


def test_the_time_of_the_last_was_over() -> None:
    wire = Wire()
    invited(wire)
    answered(wire, 180, "Ringing")
    wire.wait(15)
    wire.leaves(LUKAS, response(480, "Temporarily Unavailable"))
    sentences = explain(wire.seen).sentences
    assert sentences[-1] == "Nobody answered at lenka in time (480 Temporarily Unavailable)."
