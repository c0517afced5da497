"""Datagrams spoilt by hand, through scanner, proxy and registrar (`malformed.py` is the table)."""

import pytest
from malformed import CASES, DELIVERED, DROPPED, REGISTERS, Outcome, message
from playbook import HOST, LENKA, LUKAS, PORT, Board

from switchboard.core.domains import OwnDomains
from switchboard.registrar.rebind import RegistrarPolicy
from switchboard.registrar.rules import Registrar
from switchboard.registrar.sqlite import SqliteStore
from switchboard.sip.dispatch import DatagramKind, classify, strip_empty_lines
from switchboard.sip.errors import ParseError
from switchboard.sip.message import parse_message


def receive(raw: bytes) -> Board:
    """The board after it received `raw`."""
    board = Board(open_relay=True)
    board.bind("lenka", f"sip:lenka@{LENKA[0]}:{LENKA[1]}")
    if classify(raw) is DatagramKind.MESSAGE:
        board.receive(strip_empty_lines(raw), LUKAS)
    return board


def outcome(board: Board) -> Outcome:
    finals = [answer.status for answer in board.answers() if answer.status >= 200]
    sent = board.sent()
    assert len(finals) + len(sent) <= 1
    assert all(each.to[:2] == LENKA for each in sent)
    if finals:
        return finals[0]
    return DELIVERED if sent else DROPPED


@pytest.mark.parametrize("name", sorted(CASES.keys() - set(REGISTERS)))
def test_outcome(name: str) -> None:
    board = receive(CASES[name].raw)
    assert all(answer.to[:2] == LUKAS for answer in board.responses)
    assert outcome(board) == CASES[name].outcome


@pytest.mark.parametrize("name", REGISTERS)
def test_register(name: str) -> None:
    """What cannot be scanned meets a router, as every other broken request."""
    raw = CASES[name].raw
    try:
        request = parse_message(raw)
    except ParseError:
        assert outcome(receive(raw)) == CASES[name].outcome
        return
    store = SqliteStore(":memory:")
    registrar = Registrar(store, OwnDomains([HOST], [], 5060).owns, RegistrarPolicy(), b"secret")
    with store.batch():
        answer = registrar.process(request, LUKAS, 1000.0)
    assert parse_message(answer.response).status == CASES[name].outcome
    assert (store.snapshot() == (0, {})) is (CASES[name].outcome != 200)


@pytest.mark.parametrize(
    "contacts",
    [
        {"echo": [f"sip:echo@{HOST}:5060"]},
        {"echo": ["sip:echo@127.0.0.1"]},
        {"echo": [f"sip:narcissus@{HOST}"], "narcissus": [f"sip:echo@{HOST}"]},
        {"echo": [f"sip:echo@{HOST}", "sip:echo@127.0.0.1", f"sip:echo@{HOST};x=1"]},
        {"echo": [f"sip:echo@{HOST};lr", f"sip:{HOST};lr"]},
    ],
)
def test_our_own_address_as_contact_ends_in_a_refusal(contacts: dict[str, list[str]]) -> None:
    board = Board()
    for user, where in contacts.items():
        board.bind(user, *where)
    board.receive(message("echo", uri=f"sip:echo@{HOST}"), LUKAS)
    ours = {(HOST, PORT), ("127.0.0.1", PORT)}
    came, answers = 0, []
    while sent := [*board.sent(), *board.answers()]:
        answers += [each for each in sent if each.to not in ours]
        for each in sent:
            if each.to in ours:
                came += 1
                board.receive(each.raw, (HOST, PORT))
    assert came < 1000
    assert [(answer.to, answer.status) for answer in answers] == [(LUKAS, 482)]
