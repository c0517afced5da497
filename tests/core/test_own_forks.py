"""Requests of workers that go to all phones of a user."""

import pytest
from core.test_own_requests import answers, board_alone, send
from playbook import LENKA, Board, Sent, response

from switchboard.core.own_requests import Wanted

SECOND = ("10.0.0.14", 5060)


@pytest.fixture
def board() -> Board:
    board = board_alone()
    board.bind("lenka", "sip:lenka@10.0.0.12:5060", "sip:lenka@10.0.0.14;q=0.5")
    return board


def text(user: str = "lenka") -> Wanted:
    head = (
        f"MESSAGE sip:{user}@here.invalid SIP/2.0",
        "Max-Forwards: 70",
        "From: <sip:lukas@10.0.0.1>;tag=f",
        "To: <sip:lenka@10.0.0.1>",
        "Call-ID: c-1",
        "CSeq: 7 MESSAGE",
        "Content-Length: 2",
    )
    return Wanted("trunks", b"t1", "\r\n".join(head).encode() + b"\r\n\r\nhi", b"", user)


def both(board: Board) -> list[Sent]:
    sent = board.sent()
    assert [(each.to, each.message.uri) for each in sent] == [
        (LENKA, "sip:lenka@10.0.0.12:5060"),
        (SECOND, "sip:lenka@10.0.0.14"),
    ]
    return sent


def statuses(board: Board) -> list[int]:
    return [each.status for each in answers(board)]


def test_the_first_2xx_is_the_answer(board: Board) -> None:
    send(board, text())
    first, second = both(board)
    assert (first.message.body, first.message.get("call-id")) == (b"hi", "c-1")
    board.receive(response(second.message, 200), SECOND)
    assert statuses(board) == [200]
    board.receive(response(first.message, 486), LENKA)
    assert (statuses(board), board.core.stats()["own_requests_waiting"]) == ([], 0)


def test_else_the_best_one_when_all_have_answered(board: Board) -> None:
    send(board, text())
    first, second = both(board)
    board.lose(first)
    assert not answers(board)
    board.receive(response(second.message, 415), SECOND)
    assert statuses(board) == [415]


def test_what_is_under_way_is_not_sent_once_more(board: Board) -> None:
    send(board, text())
    both(board)
    send(board, text())
    assert not board.sent()
    board.advance(33)
    assert statuses(board) == [408]
    board.sent()
    send(board, text())
    both(board)


def test_what_a_phone_has_taken_is_not_sent_once_more(board: Board) -> None:
    send(board, text())
    board.receive(response(both(board)[0].message, 202), LENKA)
    send(board, text())
    assert (statuses(board), board.sent()) == ([202, 202], [])


def test_nobody_is_registered(board: Board) -> None:
    send(board, text("nobody"))
    assert (statuses(board), board.sent()) == ([480], [])


def test_by_the_proxy_that_a_phone_registered_through(board: Board) -> None:
    board.bind("lenka", "sip:lenka@10.0.0.12:5060", path=("<sip:10.0.0.99;lr>",))
    send(board, text())
    (sent,) = board.sent()
    assert (sent.to, sent.message.values("route")) == (("10.0.0.99", 5060), ["<sip:10.0.0.99;lr>"])
