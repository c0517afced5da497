"""Calls that the operator ends: BYE along the sealed flows, CANCEL through the response context."""

import pytest
from core.test_dialog_routing import AT_LENKA, AT_LUKAS, CALLEE, NAT, PRIVATE, place
from playbook import LENKA, LUKAS, Board, Sent, request, response

from switchboard.core.hanging_up import CANCEL_REASON, NOT_HERE
from switchboard.sip.message import Message, parse_message
from switchboard.sip.splice import make_cancel

UPSTREAM = "<sip:10.0.0.70;lr>"


@pytest.fixture
def board() -> Board:
    board = Board()
    board.bind("lukas", AT_LUKAS)
    board.bind("lenka", AT_LENKA)
    return board


def bye_of_caller(accepted: Message, target: str = AT_LENKA, routes: tuple[str, ...] = ()) -> bytes:
    return _bye(accepted, target, (*routes, *accepted.values("record-route")[::-1]), "From", "To")


def bye_of_callee(accepted: Message, target: str = AT_LUKAS, routes: tuple[str, ...] = ()) -> bytes:
    return _bye(accepted, target, (*routes, *accepted.values("record-route")), "To", "From")


def _bye(accepted: Message, target: str, routes: tuple[str, ...], sender: str, receiver: str) -> bytes:
    head = [
        f"BYE {target} SIP/2.0",
        "Via: SIP/2.0/UDP operator.invalid;branch=z9hG4bK-1",
        *(f"Route: {route}" for route in routes),
        f"From: {accepted.get(sender)}",
        f"To: {accepted.get(receiver)}",
        f"Call-ID: {accepted.call_id}",
        "CSeq: 101 BYE",
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n"


def only(sent: list[Sent]) -> Sent:
    assert len(sent) == 1
    return sent[0]


def test_each_side_gets_a_bye(board: Board) -> None:
    call = place(board)
    assert board.end_call(bye_of_caller(call.accepted)) == ""
    to_callee = only(board.sent())
    assert board.end_call(bye_of_callee(call.accepted)) == ""
    to_caller = only(board.sent())
    assert (to_callee.to, to_caller.to) == (LENKA, LUKAS)
    assert (to_callee.message.uri, to_caller.message.uri) == (AT_LENKA, AT_LUKAS)
    assert not to_callee.message.values("route")


def test_the_first_answer_ends_the_call(board: Board) -> None:
    call = place(board)
    board.end_call(bye_of_caller(call.accepted))
    sent = only(board.sent())
    board.receive(response(sent.message, 100, tag=""), LENKA)
    assert board.kinds()[-1] == "answered"
    board.receive(response(sent.message, 200), LENKA)
    last = board.events[-1]
    assert (last.kind, last.details) == ("bye", ("from-1", "to-1", 200, "operator"))


def test_no_answer_is_told_as_408(board: Board) -> None:
    call = place(board)
    board.end_call(bye_of_caller(call.accepted))
    board.advance(33)
    byes = [event.details[2] for event in board.events if event.kind == "bye"]
    assert byes == [408]


def test_a_closed_port_is_told_as_503(board: Board) -> None:
    call = place(board)
    board.end_call(bye_of_caller(call.accepted))
    board.lose(only(board.sent()))
    assert board.events[-1].details[2] == 503


def test_a_successor_takes_the_answer(board: Board) -> None:
    call = place(board)
    board.end_call(bye_of_caller(call.accepted))
    sent = only(board.sent())
    board.crash()
    board.receive(response(sent.message, 200), LENKA)
    assert board.events[-1].details == ("from-1", "to-1", 200, "operator")


def test_proxies_before_us_are_left_out(board: Board) -> None:
    call = place(board)
    assert board.end_call(bye_of_caller(call.accepted, routes=(UPSTREAM, UPSTREAM))) == ""
    assert only(board.sent()).to == LENKA


def test_proxies_behind_us_are_passed(board: Board) -> None:
    call = place(board, above=("<sip:10.0.0.12:5060;lr>",))
    assert board.end_call(bye_of_caller(call.accepted)) == ""
    sent = only(board.sent())
    assert sent.to == LENKA
    assert sent.message.values("route") == ["<sip:10.0.0.12:5060;lr>"]


def test_a_phone_behind_address_translation_is_reached_there(board: Board) -> None:
    board.bind("a", f"sip:a@{PRIVATE}", next_hop=f"{NAT[0]}:{NAT[1]}", source=f"{NAT[0]}:{NAT[1]}")
    call = place(
        board,
        caller="sip:a@10.0.0.1",
        source=NAT,
        via=(PRIVATE, 5060),
        contact=f"sip:a@{PRIVATE}",
    )
    assert board.end_call(bye_of_callee(call.accepted, f"sip:a@{PRIVATE}")) == ""
    assert only(board.sent()).to == NAT


def test_a_route_that_is_not_ours_leads_nowhere(board: Board) -> None:
    call = place(board)
    forged = bye_of_caller(call.accepted).replace(b"sb=", b"sb=AAAA")
    assert "Route is not ours" in board.end_call(forged)
    without = b"".join(
        line for line in bye_of_caller(call.accepted).splitlines(True) if not line.startswith(b"Route")
    )
    assert "Route is not ours" in board.end_call(without)
    assert not board.sent()


def test_a_call_that_rings_is_cancelled(board: Board) -> None:
    invite = request("INVITE", CALLEE, lines=(f"Contact: <{AT_LUKAS}>",))
    board.receive(invite, LUKAS)
    sent = only(board.sent())
    board.receive(response(sent.message, 180), LENKA)
    assert board.end_call(make_cancel(parse_message(invite))) == ""
    cancel = only(board.sent())
    assert (cancel.to, cancel.message.method) == (LENKA, "CANCEL")
    assert cancel.message.get("reason") == CANCEL_REASON
    board.receive(response(sent.message, 487), LENKA)
    assert board.statuses()[-1] == 487
    last = board.events[-1]
    assert (last.kind, last.details) == ("failed", (487, "operator"))


def test_a_successor_knows_who_cancelled(board: Board) -> None:
    invite = request("INVITE", CALLEE, lines=(f"Contact: <{AT_LUKAS}>",))
    board.receive(invite, LUKAS)
    sent = only(board.sent())
    board.receive(response(sent.message, 180), LENKA)
    board.end_call(make_cancel(parse_message(invite)))
    board.crash()
    board.receive(response(sent.message, 487), LENKA)
    assert board.events[-1].details == (487, "operator")


def test_a_call_that_is_not_here(board: Board) -> None:
    invite = parse_message(request("INVITE", CALLEE))
    assert board.end_call(make_cancel(invite)) == NOT_HERE
    place(board)
    assert board.end_call(make_cancel(invite)) == NOT_HERE, "answered"
