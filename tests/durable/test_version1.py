"""A router's log that version 1 wrote, in the middle of the busy hour: every call in it goes on.

`version1/0000000001.log` was written by the last commit of version 1, at 1000 s of a boot of its own: calls
that ring at two phones, are answered, refused, or being cancelled, MESSAGEs, and a name to be resolved.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playbook import LENKA, LENKA_TABLET, LUKAS, Board, MemoryLog, request, response

from switchboard.durable import router_log
from switchboard.durable.keyed_log import KeyedLog
from switchboard.durable.keys import BOOT, EVENT, SERIES
from switchboard.durable.router_log import RouterLog
from switchboard.durable.segment import read
from switchboard.durable.unit_log import BASE, STATE
from switchboard.sip.message import Message, parse_message

OLD = Path(__file__).with_name("version1")
BOOT_ID = "a boot of version 1"
UNITS = 10
EVENTS = 9


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What version 1 left, and the boot that it was written in."""
    boot_id = tmp_path / "boot_id"
    boot_id.write_text(BOOT_ID)
    monkeypatch.setattr(router_log, "_BOOT_ID", boot_id)
    return Path(shutil.copytree(OLD, tmp_path / "router-0"))


@pytest.fixture
def board(directory: Path) -> Board:
    """A proxy that has taken it over."""
    RouterLog(directory).close()  # what is not committed is not written: this life leaves all as it was
    log = RouterLog(directory)
    log.commit(1000.2)
    log.close()
    board = Board(fragile=False, now=1000.2)
    board.bind("lenka", "sip:lenka@10.0.0.12:5060")
    board.log = MemoryLog((key, value) for key, value in KeyedLog(directory).items() if key[:1] in b"UT")
    board.crash()
    return board


def same(name: str) -> dict[str, str]:
    return {"branch": f"z9hG4bK{name}", "call_id": f"call-{name}"}


def invite(user: str, name: str, method: str = "INVITE") -> bytes:
    return request(method, f"sip:{user}@10.0.0.1", **same(name))  # type: ignore[arg-type]


def forwarded(board: Board, name: str) -> list[Message]:
    """The requests that version 1 had sent for the call."""
    layer = board.proxy.env.layer
    found = [client.raw for client in layer.clients.values() if b"call-%s\r" % name.encode() in client.raw]
    return [parse_message(raw) for raw in found]


def test_everything_is_written_anew(directory: Path) -> None:
    log = RouterLog(directory)
    log.commit(1000.2)
    log.close()
    kinds = [key[:1] for key, _ in KeyedLog(directory).items()]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        BASE: UNITS, STATE: UNITS, EVENT: EVENTS, BOOT: 1, SERIES: 1,
    }  # fmt: skip
    assert not (directory / "0000000001.log").exists()
    assert (log.series, log.events.waiting) == ("fd3f91e2", EVENTS)


def test_after_a_reboot_only_the_events_are_left(directory: Path) -> None:
    (directory.parent / "boot_id").write_text("another boot")
    log = RouterLog(directory)
    log.commit(1.0)
    assert (log.events.waiting, len(log)) == (EVENTS, EVENTS + 2)
    log.close()


def test_the_ringing_call_is_answered(board: Board) -> None:
    first, second = forwarded(board, "two")
    board.receive(response(second, 180), LENKA_TABLET)
    board.receive(response(first, 200), LENKA)
    assert board.statuses() == [180, 200]
    assert [(sent.line[:6], sent.to) for sent in board.sent()] == [("CANCEL", LENKA_TABLET)]


def test_the_cancelled_call_ends(board: Board) -> None:
    (there,) = (each for each in forwarded(board, "cancelled") if each.method == "INVITE")
    board.receive(response(there, 487), LENKA)
    assert board.statuses() == [487]


def test_the_refusal_is_repeated_until_its_ack(board: Board) -> None:
    board.advance(0.5)
    assert 486 in board.statuses()
    board.receive(request("ACK", "sip:lenka@10.0.0.1", to_tag="to-1", **same("refused")), LUKAS)  # type: ignore[arg-type]
    board.advance(3)
    assert 486 not in board.statuses()


ABSORBED: list[tuple[str, str, str, list[int]]] = [
    ("lenka", "answered", "INVITE", []),
    ("lenka", "delivered", "MESSAGE", [200]),
    ("nobody", "nobody", "MESSAGE", [404]),
    ("lenka", "message", "MESSAGE", []),
]


@pytest.mark.parametrize(("user", "name", "method", "statuses"), ABSORBED)
def test_retransmissions_are_absorbed(
    board: Board, user: str, name: str, method: str, statuses: list[int]
) -> None:
    board.answers()
    board.receive(invite(user, name, method), LUKAS)
    assert (board.statuses(), board.sent()) == (statuses, [])


def test_the_message_that_waits_is_sent_again_and_answered(board: Board) -> None:
    board.advance(0.4)
    (again,) = (sent for sent in board.sent() if b"call-message" in sent.raw)
    board.receive(response(again.message, 200), LENKA)
    assert 200 in board.statuses()


def test_the_name_is_asked_for_again(board: Board) -> None:
    (lookup,) = board.proxy.env.waiting
    board.resolve(lookup, LENKA)
    assert any(b"call-named" in sent.raw for sent in board.sent())


def test_all_of_it_ends(board: Board) -> None:
    (lookup,) = board.proxy.env.waiting
    board.resolve(lookup, None)
    board.advance(400)
    assert dict(board.log) == {}


@pytest.mark.parametrize("load", [KeyedLog, RouterLog])
def test_it_is_left_alone_until_the_first_commit(directory: Path, load: Callable[[Path], object]) -> None:
    load(directory)
    assert (directory / "0000000001.log").read_bytes() == (OLD / "0000000001.log").read_bytes()


def test_a_torn_record_ends_the_file(tmp_path: Path) -> None:
    whole = (OLD / "0000000001.log").read_bytes()
    path = tmp_path / "0000000001.log"
    path.write_bytes(whole)
    records = list(read(path))
    path.write_bytes(whole[:-1])
    assert list(read(path)) == records[:-1]
