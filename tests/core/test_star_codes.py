"""Which calls are star codes, of whom, and what they change."""

from typing import Any

import pytest
from core.test_authorization import make_board, with_password
from playbook import LUKAS, Board, request

from switchboard.core.commands import Dialled
from switchboard.core.star_codes import ACTIONS, StarCodes

CODES = StarCodes(
    {"*72": "always", "*7": "busy", "*73": "off", "*91": "busy_off", "*78": "dnd_on", "*79": "dnd_off"}
)
OFF = {"always": "", "busy": "", "no_answer": "", "unregistered": "", "also": []}


@pytest.fixture
def board() -> Board:
    board = Board(star_codes=CODES)
    board.bind("lukas", "sip:lukas@10.0.0.11")
    return board


def taken(board: Board) -> Dialled:
    """The INVITE that was handed over; nothing else was done, and nothing told to the journal."""
    assert (board.sent(), board.answers(), board.events) == ([], [], [])
    (found,) = board.dialled
    return found


@pytest.mark.parametrize(
    ("dialled", "changes"),
    [
        ("*72101", {"always": "101"}),
        ("*72*101", {"always": "101"}),
        ("*72+421905123456", {"always": "+421905123456"}),
        ("%2A72101", {"always": "101"}),
        ("*72101%23", {"always": "101"}),
        ("*72101;phone-context=+421", {"always": "101"}),
        ("*73%23", OFF),
        ("*74", {"busy": "4"}),
        ("*73", OFF),
        ("*91", {"busy": ""}),
        ("*78", {"dnd": True}),
        ("*79", {"dnd": False}),
    ],
)
def test_what_codes_change(board: Board, dialled: str, changes: dict[str, Any]) -> None:
    raw = request("INVITE", f"sip:{dialled}@10.0.0.1")
    board.receive(raw, LUKAS)
    found = taken(board)
    assert (found.raw, found.user, found.changes, found.source.hop) == (raw, "lukas", changes, LUKAS)


def test_a_retransmission_is_handed_over_again_and_leaves_no_state(board: Board) -> None:
    raw = request("INVITE", "sip:*73@10.0.0.1")
    for _ in range(2):
        board.receive(raw, LUKAS)
    assert [each.raw for each in board.dialled] == [raw, raw]
    assert board.core.proxy.env.layer.server_count == 0


def test_what_is_not_whole_is_told_so(board: Board) -> None:
    board.receive(request("INVITE", "sip:*72@10.0.0.1"), LUKAS)
    (answer,) = board.answers()
    assert (answer.status, board.dialled) == (484, [])


@pytest.mark.parametrize(
    "raw",
    [
        request("INVITE", "sip:*99@10.0.0.1"),
        request("INVITE", "sip:*781@10.0.0.1"),
        request("INVITE", "sip:72101@10.0.0.1"),
        request("MESSAGE", "sip:*72101@10.0.0.1"),
    ],
)
def test_all_else_is_no_code(board: Board, raw: bytes) -> None:
    board.receive(raw, LUKAS)
    assert board.dialled == []
    assert board.statuses()[-1] == 404


def test_other_domains_have_codes_of_their_own() -> None:
    board = Board(star_codes=CODES, open_relay=True)
    board.receive(request("INVITE", "sip:*72101@10.0.0.77"), LUKAS)
    assert (len(board.sent()), board.dialled) == (1, [])


def test_a_stranger_has_no_rules(board: Board) -> None:
    raw = request("INVITE", "sip:*72101@10.0.0.1", caller="sip:eve@elsewhere.example")
    board.receive(raw, LUKAS)
    assert (board.statuses()[-1], board.dialled) == (403, [])


def test_with_passwords_the_user_is_proved() -> None:
    board = make_board(star_codes=CODES)
    board.receive(with_password(board, "INVITE", "sip:*78@10.0.0.1"), LUKAS)
    (found,) = board.dialled
    assert (found.user, found.changes) == ("lukas", {"dnd": True})


def test_every_case_has_its_actions() -> None:
    assert len(ACTIONS) == len(set(ACTIONS)) == 11
