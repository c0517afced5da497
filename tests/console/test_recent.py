"""What the first page tells of the past."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from console.conftest import data_dir as data_dir
from history.wire import BOARD, CALL_ID, LUKAS, refused, vias

from switchboard.bus.context import BusContext
from switchboard.console.recent import LATEST, LATEST_BYTES, Day, Failed, RecentReader, start_of
from switchboard.history.seen import Direction, Seen
from switchboard.history.store import HistoryStore, Limits
from switchboard.journal.record import CallDetailRecord, Outcome, Party, timestamp
from switchboard.settings.model import Settings

LIMITS = Limits(calls=100, age_s=3600, bytes=1 << 20)
NOON = 1_796_000_000.0 // 86400 * 86400 + 43200.0


def line(at: float, outcome: Outcome = Outcome.ANSWERED, call_id: str = "c") -> bytes:
    """The record of a call that lasted a minute until `at`."""
    begun, ended = timestamp(at - 60), timestamp(at)
    answered = begun if outcome is Outcome.ANSWERED else None
    return CallDetailRecord(
        call_id=call_id,
        caller="sip:lukas@a.test",
        callee="sip:lenka@a.test",
        started_at=begun,
        ringing_at=None,
        answered_at=answered,
        ended_at=ended,
        duration_s=60.0 if answered else 0.0,
        outcome=outcome,
        status=200 if answered else 486,
        ended_by=Party.CALLER,
    ).to_line()


@pytest.fixture
def path(data_dir: Path) -> Path:
    return Settings(data_dir=data_dir).cdr_path


@contextmanager
def reader_at(data_dir: Path, now_at: float) -> Iterator[RecentReader]:
    with BusContext() as context:
        yield RecentReader(Settings(data_dir=data_dir), context, lambda: now_at)


def test_no_journal_yet(data_dir: Path) -> None:
    with reader_at(data_dir, NOON) as reader:
        found = reader.look()
    assert (found.calls, found.missed, found.latest, found.failed) == (0, 0, [], None)


def test_only_today_counts_and_the_latest_are_of_any_day(path: Path) -> None:
    lines = [line(NOON - 86400, call_id=f"y{number}") for number in range(7)]
    lines += [
        line(NOON - 9, Outcome.BUSY, "b"),
        line(NOON - 8, Outcome.FAILED, "f"),
        line(NOON - 7, call_id="a"),
    ]
    path.write_bytes(b"".join(lines))
    day = Day(path)
    day.read(NOON)
    assert day.outcomes.total() == 3
    assert [each.call_id for each in day.latest] == ["y5", "y6", "b", "f", "a"]
    assert len(day.latest) == LATEST


def test_what_is_new_is_read_on(path: Path) -> None:
    path.write_bytes(line(NOON - 9))
    day = Day(path)
    day.read(NOON)
    torn = line(NOON - 5)
    with path.open("ab") as file:
        file.write(line(NOON - 6) + b"no record\n" + torn[:30])
    day.read(NOON)
    assert day.outcomes.total() == 2
    with path.open("ab") as file:
        file.write(torn[30:])
    day.read(NOON)
    assert day.outcomes.total() == 3


def test_another_day_and_another_file_begin_anew(path: Path) -> None:
    path.write_bytes(line(NOON - 9) * 3)
    day = Day(path)
    day.read(NOON)
    day.read(NOON + 86400)
    assert day.outcomes.total() == 0
    path.write_bytes(line(NOON + 86400 - 9))
    day.read(NOON + 86400)
    assert day.outcomes.total() == 1


def test_of_a_long_journal_little_is_read(path: Path) -> None:
    old, new = line(NOON - 86400) * 5000, line(NOON - 9) * 300
    path.write_bytes(old + new)
    start = start_of(path, len(old + new), timestamp(NOON - 43200))
    assert len(old) - 8 * LATEST_BYTES < start <= len(old)
    day = Day(path)
    day.read(NOON)
    assert day.outcomes == {Outcome.ANSWERED: 300}


def test_causes_without_a_history(data_dir: Path, path: Path) -> None:
    path.write_bytes(
        line(NOON - 9)
        + line(NOON - 8, Outcome.NO_ANSWER, "unanswered")
        + line(NOON - 7, Outcome.FAILED, "failed")
    )
    with reader_at(data_dir, NOON) as reader:
        found = reader.look()
    assert [each.cause for each in found.latest] == ["486, failed", "486, no answer", "talked 1m 00s"]
    assert (found.calls, found.missed) == (3, 1)


def registration(call_id: str, user: str, status: int, at: float) -> dict[str, list[Seen]]:
    """A REGISTER and its answer."""
    head = (
        f"{vias(('b',))}From: <sip:{user}@a.test>;tag=1\r\nTo: <sip:{user}@a.test>\r\n"
        f"Call-ID: {call_id}\r\nCSeq: 1 REGISTER\r\n\r\n"
    )
    asked = Seen(int(at * 1e9), LUKAS, BOARD, f"REGISTER sip:a.test SIP/2.0\r\n{head}".encode(), Direction.IN)
    said = Seen(int(at * 1e9) + 1, BOARD, LUKAS, f"SIP/2.0 {status} X\r\n{head}".encode(), Direction.OUT)
    return {call_id: [asked, said]}


def test_with_a_history(data_dir: Path, path: Path) -> None:
    path.write_bytes(line(NOON - 9, Outcome.BUSY, CALL_ID))
    with closing(HistoryStore(Settings(data_dir=data_dir).history_path, LIMITS)) as store:
        store.add({CALL_ID: refused(486, "Busy Here")})
        for call_id, user, status, at in (
            ("1", "eva", 403, NOON - 60),
            ("2", "eva", 403, NOON - 50),
            ("3", "jana", 403, NOON - 40),
            ("4", "jana", 200, NOON - 30),
            ("5", "jana", 403, NOON - 3700),
        ):
            store.add(registration(call_id, user, status, at))
    with reader_at(data_dir, NOON) as reader:
        found = reader.look()
    assert found.failed == Failed(3, 2)
    assert reader.badges == {"/registrations": "3"}
    assert "486 Busy Here" in found.latest[0].cause
