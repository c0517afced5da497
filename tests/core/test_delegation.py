"""Which requests routers hand to the presence worker, and in whose name."""

import pytest
from core.test_authorization import make_board, with_password
from playbook import LENKA, LUKAS, Board, request

from switchboard.core.call_rules import Group, StaticRules
from switchboard.core.commands import Delegated
from switchboard.core.delegation import EventPolicy, package_of

CALLEE = "sip:lenka@10.0.0.1"
POLICY = EventPolicy(("presence", "dialog"))


@pytest.fixture
def board() -> Board:
    board = Board(packages=POLICY)
    board.bind("lukas", "sip:lukas@10.0.0.11")
    board.bind("lenka", "sip:lenka@10.0.0.12:5060")
    return board


def taken(board: Board) -> Delegated:
    """The request that was handed over; nothing else was done."""
    assert (board.sent(), board.answers()) == ([], [])
    (found,) = board.delegated
    return found


@pytest.mark.parametrize("event", ["presence", "dialog", "Dialog ;id=7"])
def test_a_subscription_to_a_package_of_ours(board: Board, event: str) -> None:
    raw = request("SUBSCRIBE", CALLEE, lines=(f"Event: {event}",))
    board.receive(raw, LUKAS)
    found = taken(board)
    assert (found.raw, found.sender, found.user, found.source.hop) == (raw, "lukas", "lenka", LUKAS)


def test_a_retransmission_is_handed_over_again(board: Board) -> None:
    raw = request("SUBSCRIBE", CALLEE, lines=("Event: presence",))
    board.receive(raw, LUKAS)
    board.receive(raw, LUKAS)
    assert [each.raw for each in board.delegated] == [raw, raw]


@pytest.mark.parametrize("lines", [("Event: conference",), ("Event: presence.winfo",), ()])
def test_other_packages_are_the_phones(board: Board, lines: tuple[str, ...]) -> None:
    board.receive(request("SUBSCRIBE", CALLEE, lines=lines), LUKAS)
    (sent,) = board.sent()
    assert (sent.to, board.delegated) == (LENKA, [])


def test_within_a_dialog_the_tag_decides(board: Board) -> None:
    board.receive(request("SUBSCRIBE", CALLEE, to_tag="sbp.12", lines=("Event: dialog",)), LUKAS)
    assert taken(board).user == "lenka"
    board.receive(
        request("SUBSCRIBE", CALLEE, to_tag="a", lines=("Event: dialog",), branch="z9hG4bKb"), LUKAS
    )
    assert len(board.sent()) == 1


def test_presence_is_published(board: Board) -> None:
    board.receive(request("PUBLISH", "sip:lukas@10.0.0.1", lines=("Event: presence",)), LUKAS)
    assert taken(board).user == "lukas"


def test_what_cannot_be_published_or_watched_names_what_can(board: Board) -> None:
    board.receive(request("PUBLISH", "sip:lukas@10.0.0.1", lines=("Event: dialog",)), LUKAS)
    board.receive(request("SUBSCRIBE", "sip:10.0.0.1", lines=("Event: a",), branch="z9hG4bKb"), LUKAS)
    for answer in board.answers():
        assert (answer.status, answer.message.get("allow-events")) == (489, "presence, dialog, refer")
    board.receive(request("OPTIONS", "sip:10.0.0.1", lines=("X: " + "x" * 500,)), LUKAS)
    (answer,) = board.answers()
    assert (answer.message.get("allow-events"), board.delegated) == ("presence, dialog", [])


@pytest.mark.parametrize(
    ("name", "event", "watched", "statuses"),
    [
        ("office", "dialog", ["group:office"], []),
        ("office", "presence", [], [404]),
        ("lenka", "dialog", ["lenka"], []),  # a user with that name comes first
    ],
)
def test_a_group_has_a_lamp_and_no_presence(
    name: str, event: str, watched: list[str], statuses: list[int]
) -> None:
    rules = StaticRules({}, [Group("office", ("lenka",)), Group("lenka", ("peter",))])
    board = make_board(packages=EventPolicy(("presence", "dialog"), {"lenka"}), rules=rules)
    asked = with_password(board, "SUBSCRIBE", f"sip:{name}@10.0.0.1", lines=(f"Event: {event}",))
    board.receive(asked, LUKAS)
    assert ([each.user for each in board.delegated], board.statuses()) == (watched, statuses)


def test_a_gruu_is_the_phones(board: Board) -> None:
    board.receive(request("SUBSCRIBE", f"{CALLEE};gr=urn:x", lines=("Event: presence",)), LUKAS)
    assert board.delegated == []
    assert board.statuses() == [480]


def test_a_stranger_is_nobody(board: Board) -> None:
    raw = request("SUBSCRIBE", CALLEE, lines=("Event: presence",), caller="sip:eve@elsewhere.example")
    board.receive(raw, LUKAS)
    assert taken(board).sender == ""


def test_with_passwords_the_sender_is_proved() -> None:
    board = make_board(packages=EventPolicy(("presence",), {"lenka"}))
    lines = ("Event: presence",)
    board.receive(with_password(board, "SUBSCRIBE", CALLEE, lines=lines), LUKAS)
    assert taken(board).sender == "lukas"
    board.receive(with_password(board, "SUBSCRIBE", "sip:x@10.0.0.1", lines=lines, number=1), LUKAS)
    assert (board.statuses(), len(board.delegated)) == ([404], 1)


def test_package_names() -> None:
    assert [package_of(each) for each in (None, "", " Presence ;id=1", "dialog;sla")] == [
        "", "", "presence", "dialog",
    ]  # fmt: skip
