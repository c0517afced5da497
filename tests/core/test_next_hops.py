"""A name that leads to several servers: the next one is tried when one fails (RFC 3263 §4.3)."""

import pytest
from playbook import HOST, LUKAS, Board, Sent, request, response

from switchboard.core.commands import Lookup, NextHop
from switchboard.core.next_hops import ASIDE_S, MOST_TRIED, SILENT_T1, NextHops
from switchboard.sip.flow import TCP, UDP, Flow

NAME = Lookup("provider.example", None)
FIRST, SECOND, THIRD = (("192.0.2.1", 5060), ("192.0.2.2", 5070), ("192.0.2.3", 5080))
T1_S = 0.5
SILENCE_S = SILENT_T1 * T1_S


def ask(method: str = "INVITE", board: Board | None = None, number: int = 1) -> Board:
    """A board on which lukas asks for somebody at the name, which leads to three servers."""
    board = board or Board()
    board.bind("lukas", "sip:lukas@10.0.0.11")
    raw = request(method, "sip:x@provider.example", branch=f"z9hG4bKn{number}", call_id=f"call-{number}")
    board.receive(raw, LUKAS)
    board.answers()
    board.resolve(NAME, FIRST, SECOND, THIRD)
    return board


def only(sent: list[Sent]) -> Sent:
    (one,) = sent
    return one


def first_of(board: Board) -> Sent:
    sent = only(board.sent())
    assert sent.to == FIRST
    return sent


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_a_server_where_nobody_is(method: str) -> None:
    board = ask(method)
    first = first_of(board)
    board.lose(first)
    second = only(board.sent())
    assert (second.to, second.branch != first.branch) == (SECOND, True)
    assert not board.answers()
    board.receive(response(second.message, 200), SECOND)
    assert board.statuses() == [200]


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_a_server_that_has_too_much_to_do(method: str) -> None:
    board = ask(method)
    board.receive(response(first_of(board).message, 503), FIRST)
    *acks, second = board.sent()
    assert [ack.message.method for ack in acks] == (["ACK"] if method == "INVITE" else [])
    assert second.to == SECOND
    assert not board.answers()
    board.receive(response(second.message, 486), SECOND)
    assert board.statuses() == [486]


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
@pytest.mark.parametrize("status", [200, 486])
def test_nothing_is_left_of_a_request_that_a_busy_server_had_first(method: str, status: int) -> None:
    board = ask(method)
    first = first_of(board)
    board.receive(response(first.message, 503), FIRST)
    second = board.sent()[-1]
    board.receive(response(second.message, status), SECOND)
    board.sent()
    board.receive(response(first.message, 503), FIRST)
    assert [sent.message.method for sent in board.sent()] == (["ACK"] if method == "INVITE" else [])
    board.advance(400)
    assert not [key for key in board.log if key[:1] in b"UT"]


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_a_server_that_is_silent(method: str) -> None:
    board = ask(method)
    board.advance(SILENCE_S - 0.1)
    assert {sent.to for sent in board.sent()} == {FIRST}
    board.advance(0.2)
    second = [sent for sent in board.sent() if sent.to != FIRST]
    assert only(second).to == SECOND
    board.answers()
    board.receive(response(second[0].message, 404), SECOND)
    assert board.statuses() == [404]


def test_who_has_answered_anything_is_waited_for() -> None:
    board = ask()
    board.receive(response(first_of(board).message, 100), FIRST)
    board.advance(4 * SILENCE_S)
    assert not board.sent()


def test_the_answer_of_who_was_given_up_is_passed_on() -> None:
    """A 200 means that somebody talks: the other server is told that it is over."""
    board = ask()
    first = board.sent()[0]
    board.advance(SILENCE_S + 0.1)
    second = next(sent for sent in board.sent() if sent.to == SECOND)
    board.receive(response(second.message, 180), SECOND)
    board.receive(response(first.message, 200), FIRST)
    assert board.statuses()[-2:] == [180, 200]
    assert [(sent.message.method, sent.to) for sent in board.sent()] == [("CANCEL", SECOND)]


def test_who_was_given_up_does_not_ring_beside_the_other() -> None:
    board = ask()
    first = board.sent()[0]
    board.advance(SILENCE_S + 0.1)
    board.sent(), board.answers()
    board.receive(response(first.message, 180), FIRST)
    assert [(sent.message.method, sent.to) for sent in board.sent()] == [("CANCEL", FIRST)]
    assert not board.answers()
    board.receive(response(first.message, 487), FIRST)
    assert [sent.message.method for sent in board.sent()] == ["ACK"]
    assert not board.answers()


def test_when_all_have_failed_the_caller_hears_it() -> None:
    board = ask()
    for place in (FIRST, SECOND, THIRD):
        sent = only(board.sent())
        assert sent.to == place
        board.lose(sent)
    assert board.statuses() == [500]
    assert not board.sent()


def test_the_answer_of_the_last_one_counts_and_not_the_silence_of_the_others() -> None:
    board = ask()
    board.advance(2 * SILENCE_S + 0.1)
    third = next(sent for sent in board.sent() if sent.to == THIRD)
    board.answers()
    board.receive(response(third.message, 500), THIRD)
    assert board.statuses() == [500]


def test_a_call_that_was_given_up_goes_nowhere_else() -> None:
    board = ask()
    first = first_of(board)
    board.receive(request("CANCEL", "sip:x@provider.example", branch="z9hG4bKn1", call_id="call-1"), LUKAS)
    board.lose(first)
    board.advance(SILENCE_S)
    assert not board.sent()
    assert 487 in board.statuses()


def test_each_server_by_its_own_transport() -> None:
    board = Board(transports={UDP: 5060, TCP: 5060})
    board.bind("lukas", "sip:lukas@10.0.0.11")
    board.receive(request("INVITE", "sip:x@provider.example"), LUKAS)
    board.resolve(NAME, NextHop(*FIRST, TCP), NextHop(*SECOND, UDP))
    first = only(board.sent())
    assert first.flow == Flow(TCP, HOST, *FIRST)
    board.lose(first)
    second = only(board.sent())
    assert second.flow == Flow(UDP, HOST, *SECOND)
    assert second.message.values("via")[0].startswith("SIP/2.0/UDP ")


def test_a_transport_that_we_do_not_have_is_left_out() -> None:
    board = Board()
    board.bind("lukas", "sip:lukas@10.0.0.11")
    board.receive(request("INVITE", "sip:x@provider.example"), LUKAS)
    board.resolve(NAME, NextHop(*FIRST, TCP), ("192.0.2.9", 0), SECOND)
    assert only(board.sent()).to == SECOND


def test_the_next_call_does_not_wait_for_the_same_dead_server() -> None:
    board = ask()
    board.lose(first_of(board))
    board.sent()
    ask(board=board, number=2)
    expected = FIRST if board.fragile else SECOND  # a successor has yet to find it out
    assert only(board.sent()).to == expected


def test_an_ack_and_a_bye_of_the_dialog_find_the_server_that_lives() -> None:
    board = ask("MESSAGE")
    board.lose(first_of(board))
    board.sent()
    if not board.fragile:
        ack = request("ACK", "sip:x@provider.example", to_tag="t", lines=("Route: <sip:10.0.0.1:5060;lr>",))
        board.receive(ack, LUKAS)
        board.resolve(NAME, FIRST, SECOND)
        assert only(board.sent()).to == SECOND


def test_who_failed_is_tried_last_and_later_first_again() -> None:
    hops = [NextHop(*each) for each in (FIRST, SECOND, THIRD)]
    known = NextHops()
    known.set_aside(Flow(UDP, HOST, *FIRST), 100.0)
    assert known.in_order(hops, 100.0 + ASIDE_S - 1) == [hops[1], hops[2], hops[0]]
    assert known.in_order(hops, 100.0 + ASIDE_S) == hops
    known.set_aside(Flow(TCP, HOST, *SECOND), 200.0)
    assert known.in_order(hops, 200.0) == hops, "by another transport it may live"


def test_a_name_with_thousands_of_servers_is_not_asked_thousands_of_times() -> None:
    many = [NextHop(f"192.0.2.{number % 250}", 5060 + number) for number in range(10_000)]
    assert NextHops().in_order(many + many, 0.0) == many[:MOST_TRIED]
