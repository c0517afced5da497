"""Which texts a router hands over because nobody takes them, and what becomes of them then."""

import pytest
from core.test_authorization import make_board, with_password
from playbook import LENKA, LUKAS, Board, Sent, request, response

from switchboard.core.commands import Delegated
from switchboard.core.keeping import SILENT_T1

CALLEE = "sip:lenka@10.0.0.1"
CONTACT = "sip:lenka@10.0.0.12:5060"
OTHER = ("10.0.0.14", 5060)
SILENT_S = SILENT_T1 * 0.5


def text(uri: str = CALLEE, **more: object) -> bytes:
    return request("MESSAGE", uri, **more)  # type: ignore[arg-type]


@pytest.fixture
def board() -> Board:
    """Lenka was registered; lukas is."""
    board = Board(keeps_messages=True)
    board.bind("lukas", "sip:lukas@10.0.0.11")
    board.bind("lenka", CONTACT)
    board.bind("lenka")
    return board


def only(board: Board) -> Delegated:
    """What was handed over; the sender has heard nothing of us."""
    assert not [each for each in board.statuses() if each >= 200]
    (found,) = board.delegated
    board.delegated.clear()
    return found


def leave(board: Board, *contacts: str) -> list[Sent]:
    """Lenka is registered there, and a text has left."""
    board.bind("lenka", *(contacts or (CONTACT,)))
    board.receive(text(), LUKAS)
    return board.sent()


def test_a_text_to_nobody_here_is_handed_over_each_time(board: Board) -> None:
    raw = text()
    for _ in range(2):
        board.receive(raw, LUKAS)
        found = only(board)
        assert (found.raw, found.user, found.sender, found.status) == (raw, "lenka", "lukas", 480)
    assert not board.sent()


@pytest.mark.parametrize(
    "raw",
    [
        text("sip:nobody@10.0.0.1"),
        text(to_tag="dialog"),
        request("INVITE", CALLEE),
        request("OPTIONS", CALLEE),
    ],
)
def test_everything_else_is_refused_as_before(board: Board, raw: bytes) -> None:
    board.receive(raw, LUKAS)
    assert (board.statuses()[-1] in (404, 480, 481), board.delegated) == (True, [])


def test_without_the_setting_it_is_refused() -> None:
    board = Board()
    board.bind("lenka", CONTACT)
    board.bind("lenka")
    board.receive(text(), LUKAS)
    assert (board.statuses(), board.delegated) == ([480], [])


@pytest.mark.parametrize("status", [408, 430, 480, 503])
def test_a_text_that_nobody_takes(board: Board, status: int) -> None:
    sent = leave(board, CONTACT, "sip:lenka@10.0.0.14")
    board.receive(response(sent[0].message, status), LENKA)
    assert not board.delegated
    board.lose(sent[1])
    assert (only(board).status, board.statuses()) == (480, [])
    board.advance(100)
    assert (board.statuses(), board.delegated) == ([], [])
    assert not list(board.log)


@pytest.mark.parametrize("status", [404, 415, 486, 603])
def test_a_text_that_a_phone_refuses(board: Board, status: int) -> None:
    sent = leave(board, CONTACT, "sip:lenka@10.0.0.14")
    board.lose(sent[1])
    board.receive(response(sent[0].message, status), LENKA)
    assert (board.statuses(), board.delegated) == ([status], [])


def test_who_is_called_through_another_user_gets_it(board: Board) -> None:
    """One of lenka's contacts is lukas."""
    board.bind("lenka", CONTACT, "sip:lukas@10.0.0.1")
    board.receive(text(), LUKAS)
    for sent in board.sent():
        board.lose(sent)
    assert only(board).user == "lenka"


def test_a_phone_that_is_silent_is_not_waited_for(board: Board) -> None:
    leave(board)
    board.advance(SILENT_S - 0.1)
    assert not board.delegated
    board.advance(0.2)
    assert only(board).status == 480


def test_a_repetition_and_a_successor_ask_once_more(board: Board) -> None:
    leave(board)
    board.advance(SILENT_S)
    first = only(board)
    board.receive(text(), LUKAS)
    assert only(board) == first


def test_what_a_phone_takes_late_is_not_to_be_kept(board: Board) -> None:
    (sent, *_) = leave(board)
    board.advance(SILENT_S)
    only(board)
    board.receive(response(sent.message, 200), LENKA)
    assert only(board).status == 200
    board.receive(text(), LUKAS)
    assert (board.statuses(), board.delegated) == ([202], [])


def test_a_phone_that_refuses_late_changes_nothing(board: Board) -> None:
    (sent, *_) = leave(board)
    board.advance(SILENT_S)
    only(board)
    board.receive(response(sent.message, 603), LENKA)
    assert (board.statuses(), board.delegated) == ([], [])


@pytest.mark.parametrize("is_kept", [True, False])
def test_only_where_texts_are_kept_they_are_the_references(is_kept: bool) -> None:
    board = Board(keeps_messages=is_kept, native=True, fragile=False)
    board.bind("lukas", "sip:lukas@10.0.0.11")
    sent = leave(board)
    board.receive(response(sent[0].message, 200), LENKA)
    assert board.statuses() == [200]
    if board.core.engine is not None:
        assert board.core.stats()["plain"] == (0 if is_kept else 2)


def test_credentials_and_doubtful_identities_stay_here() -> None:
    board = make_board(keeps_messages=True)
    board.bind("lenka", CONTACT)
    board.bind("lenka")
    raw = with_password(board, "MESSAGE", CALLEE, lines=("P-Asserted-Identity: <sip:boss@10.0.0.1>",))
    board.receive(raw, LUKAS)
    (found,) = board.delegated
    assert (found.sender, found.user) == ("lukas", "lenka")
    assert b"Proxy-Authorization" not in found.raw
    assert b"boss" not in found.raw
