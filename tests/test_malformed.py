"""Datagrams spoilt by hand, through scanner, proxy and registrar (`malformed.py` is the table)."""

import pytest
from malformed import CASES, DELIVERED, DROPPED, REGISTERS, Outcome
from playbook import HOST, LENKA, LUKAS, Board

from switchboard.location.registrar import Registrar, RegistrarPolicy
from switchboard.location.sqlite import SqliteStore
from switchboard.proxy.domains import OwnDomains
from switchboard.sip.datagram import Kind, classify, strip_empty_lines
from switchboard.sip.errors import ParseError
from switchboard.sip.message import parse_message


def receive(raw: bytes) -> Board:
    """The board after it received `raw`."""
    board = Board(open_relay=True)
    board.bind("lenka", f"sip:lenka@{LENKA[0]}:{LENKA[1]}")
    if classify(raw) is Kind.MESSAGE:
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
    assert store.snapshot() == (0, {})
