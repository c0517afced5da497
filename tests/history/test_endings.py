"""The requests that end a call, from its messages."""

import pytest
from history.wire import CALL_ID, LENKA, LUKAS, Wire, acknowledged, answered, call, invited, request, response

from switchboard.history.endings import CSEQ_MARGIN, CannotEnd, Ending, endings_of
from switchboard.sip.message import Message, parse_message

RECORDED = "Record-Route: <sip:10.0.0.8;lr>\r\nRecord-Route: <sip:10.0.0.1;lr;sb=x>, <sip:10.0.0.9;lr>\r\n"


def up() -> Wire:
    """A call that lenka took."""
    wire = Wire()
    invited(wire)
    answered(wire, 180, "Ringing")
    answered(wire, 200, "OK", extra=RECORDED)
    acknowledged(wire)
    return wire


def read(endings: list[Ending]) -> list[Message]:
    return [parse_message(each.raw) for each in endings]


def test_a_call_that_is_up() -> None:
    endings = endings_of(up().seen)
    assert [each.side for each in endings] == ["lenka", "lukas"]
    to_callee, to_caller = read(endings)
    assert [each.method for each in (to_callee, to_caller)] == ["BYE", "BYE"]
    assert [each.call_id for each in (to_callee, to_caller)] == [CALL_ID, CALL_ID]
    assert (to_callee.from_tag, to_callee.to_tag) == (to_caller.to_tag, to_caller.from_tag) == ("1", "2")
    assert (to_callee.uri, to_caller.uri) == ("sip:lenka@10.0.0.3", "sip:lukas@10.0.0.2")
    assert to_callee.values("route") == ["<sip:10.0.0.9;lr>", "<sip:10.0.0.1;lr;sb=x>", "<sip:10.0.0.8;lr>"]
    assert to_caller.values("route") == to_callee.values("route")[::-1]
    assert to_callee.cseq == (1 + CSEQ_MARGIN, "BYE")
    assert to_caller.cseq == (CSEQ_MARGIN, "BYE")


def test_the_number_is_above_those_of_the_same_side_only() -> None:
    wire = up()
    info = request("INFO", "sip:lenka@10.0.0.3", ("i",), cseq=40, to_tag="2")
    wire.passes(LUKAS, LENKA, info, info)
    assert [each.cseq[0] for each in read(endings_of(wire.seen))] == [40 + CSEQ_MARGIN, CSEQ_MARGIN]


@pytest.mark.parametrize(("status", "target"), [(200, "sip:lukas@10.0.0.77"), (488, "sip:lukas@10.0.0.2")])
def test_a_side_moves_by_a_request_that_was_accepted(status: int, target: str) -> None:
    wire = up()
    moved = request("UPDATE", "sip:lenka@10.0.0.3", ("u",), cseq=2, to_tag="2", contact="10.0.0.77")
    wire.passes(LUKAS, LENKA, moved, moved)
    answer = response(status, "X", ("sbu", "u"), method="UPDATE", cseq=2)
    wire.passes(LENKA, LUKAS, answer, answer)
    assert read(endings_of(wire.seen))[1].uri == target


def test_a_call_that_rings() -> None:
    wire = Wire()
    invited(wire)
    answered(wire, 180, "Ringing")
    (ending,) = endings_of(wire.seen)
    cancel = parse_message(ending.raw)
    assert (ending.side, cancel.method, cancel.via.branch) == ("lenka", "CANCEL", "z9hG4bKb")


def test_a_call_that_has_ended() -> None:
    with pytest.raises(CannotEnd, match="ended already"):
        endings_of(call())


def test_a_beginning_that_is_not_kept() -> None:
    with pytest.raises(CannotEnd, match="does not have the INVITE"):
        endings_of(up().seen[3:])


def test_a_contact_that_is_masked() -> None:
    wire = Wire()
    invited(wire)
    answered(wire, 200, "OK", contact="10.0.0.3", extra=RECORDED)
    seen = [
        each._replace(raw=each.raw.replace(b"<sip:lenka@10.0.0.3>", b"<sip:a:***@b>")) for each in wire.seen
    ]
    with pytest.raises(CannotEnd, match="password"):
        endings_of(seen)


def test_what_nobody_could_read_is_left_out() -> None:
    wire = up()
    wire.comes(LUKAS, b"nonsense")
    assert len(endings_of(wire.seen)) == 2
