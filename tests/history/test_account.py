"""Whose fault a 400 is."""

import pytest
from history.wire import LENKA, LUKAS, Wire, hung_up, request, response

from switchboard.history.account import HangUp, at_fault, hang_ups
from switchboard.history.lenient import LenientMessage


@pytest.mark.parametrize(
    ("agent", "status", "warning", "sentence"),
    [
        (
            "User-Agent: Acme 7\r\n",
            400,
            'Warning: 399 switchboard "Malformed Contact"\r\n',
            "Acme 7 at 10.0.0.2:5060 sent a malformed INVITE: Malformed Contact. That phone is to blame.",
        ),
        (
            "",
            400,
            'Warning: 399 switchboard "Malformed CSeq"\r\n',
            "The phone at 10.0.0.2:5060 sent a malformed INVITE: Malformed CSeq. That phone is to blame.",
        ),
        ("", 400, 'Warning: 399 phone.example "Malformed Contact"\r\n', ""),
        ("", 403, 'Warning: 399 switchboard "Malformed Contact"\r\n', ""),
        ("", 400, "", ""),
    ],
)
def test_at_fault(agent: str, status: int, warning: str, sentence: str) -> None:
    wire = Wire()
    wire.comes(LUKAS, request("INVITE", extra=agent))
    wire.leaves(LUKAS, response(status, "Phrase", extra=warning))
    assert list(at_fault([LenientMessage.of(seen) for seen in wire.seen])) == ([sentence] if sentence else [])


def found(wire: Wire) -> list[HangUp]:
    return list(hang_ups([LenientMessage.of(seen) for seen in wire.seen]))


def bye(*branches: str) -> bytes:
    return request("BYE", branches=branches, cseq=2, to_tag="2")


def test_a_bye_that_was_answered() -> None:
    wire = Wire()
    hung_up(wire)
    (one,) = found(wire)
    assert one.passed is not None
    assert one.answer is not None
    assert (one.answer.status, one.by_phone, one.ends) == (200, True, True)


def test_a_retransmission_is_no_other_one() -> None:
    wire = Wire()
    wire.comes(LUKAS, bye("a"))
    wire.comes(LUKAS, bye("a"))
    wire.comes(LUKAS, bye("b"))
    assert [one.request.branch[-1] for one in found(wire)] == ["a", "b"]


@pytest.mark.parametrize("passes", [True, False])
def test_without_an_answer(passes: bool) -> None:
    wire = Wire()
    wire.comes(LUKAS, bye("a"))
    if passes:
        wire.leaves(LENKA, bye("sba", "a"))
    assert found(wire)[0].ends is passes


@pytest.mark.parametrize(
    ("status", "by_phone", "ends"),
    [(200, True, True), (481, True, True), (407, False, False), (500, True, False), (500, False, True)],
)
def test_what_an_answer_says(status: int, by_phone: bool, ends: bool) -> None:
    wire = Wire()
    wire.comes(LUKAS, bye("a"))
    wire.leaves(LENKA, bye("sba", "a"))
    wire.leaves(LUKAS, response(100, "Trying", ("a",), method="BYE", cseq=2))
    if by_phone:
        wire.comes(LENKA, response(status, "Phrase", ("sba", "a"), method="BYE", cseq=2))
    wire.leaves(LUKAS, response(status, "Phrase", ("a",), method="BYE", cseq=2))
    assert (found(wire)[0].by_phone, found(wire)[0].ends) == (by_phone, ends)
