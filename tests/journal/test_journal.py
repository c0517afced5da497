"""The journal on real files, through every crash: each call has exactly one record.

A crash is a journal that is closed without commit; one between append and commit, a journal.db put back to
what it was before the commit while cdr.jsonl keeps its new lines.
"""

import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

import pytest
from full_disk import file_limit
from hypothesis import given, settings
from hypothesis import strategies as st
from journal.scripts import T0, answered, bye, failed, invite, item, ringing

from switchboard import codec
from switchboard.journal import unwritten
from switchboard.journal.deliveries import Router
from switchboard.journal.events import CallEvent
from switchboard.journal.file import read_records
from switchboard.journal.journal import Journal
from switchboard.journal.record import timestamp
from switchboard.journal.state import StateError

MAX_CALL_S = 43_200.0
FOREVER_AT = T0 + 10 * MAX_CALL_S
ROUTER = Router(0, "first")


class Board:
    """A data directory and the journal that runs in it now."""

    def __init__(self, directory: Path) -> None:
        self.state, self.cdr = directory / "journal.db", directory / "cdr.jsonl"
        self.journal = self._start()

    def tell(self, first: int, *events: CallEvent, router: Router = ROUTER) -> None:
        items = [item(number, event) for number, event in enumerate(events, first)]
        body = [router.instance, router.incarnation, items]
        if self.journal.receive_frame(codec.pack(body), 0, T0) is None:
            self.journal.receive(body, T0)

    def crash(self) -> None:
        self.journal.close()
        self.journal = self._start()

    def crash_after_append(self, torn_bytes: int = 0) -> None:
        """Records reach cdr.jsonl, except for so many bytes at its end; journal.db never hears of them."""
        files = [self.state, self.state.with_name("journal.db-wal")]
        before = {file: file.read_bytes() for file in files if file.exists()}
        written = self.cdr.stat().st_size
        self.journal.commit()
        self.journal.close()
        for file in files:
            file.unlink(missing_ok=True)
        for file, content in before.items():
            file.write_bytes(content)
        with self.cdr.open("r+b") as lines:
            lines.truncate(max(written, self.cdr.stat().st_size - torn_bytes))
        self.journal = self._start()

    def records(self) -> list[tuple[str, str]]:
        skipped: list[int] = []
        found = [(each.call_id, each.outcome.value) for each in read_records(self.cdr, skipped.append)]
        assert skipped == []
        return found

    def _start(self) -> Journal:
        return Journal(self.state, self.cdr, MAX_CALL_S, T0)


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    board = Board(tmp_path)
    yield board
    board.journal.close()


CALL = invite(), ringing(), answered(), bye()


def test_records_show_the_wall_clock_and_the_true_duration(board: Board) -> None:
    """Set while the call was up: all its instants are by the clock as it is now."""
    board.tell(1, *CALL[:3])
    board.journal.correct(19_800.0)
    [shown] = board.journal.calls(T0 + 5)
    assert (shown["started_at"], shown["duration_s"]) == ("2026-11-22T15:30:00.000Z", 3.0)
    board.tell(4, CALL[3])
    board.journal.commit()
    (record,) = read_records(board.cdr, lambda _: None)
    assert record.started_at == "2026-11-22T15:30:00.000Z"
    assert record.ended_at == timestamp(T0 + 19_800 + bye().at - T0)
    assert record.duration_s == bye().at - answered().at


def test_a_corrected_line_is_known_after_a_crash(board: Board) -> None:
    board.journal.correct(19_800.0)
    board.tell(1, *CALL)
    board.crash_after_append()
    board.journal.correct(19_800.0)
    board.tell(1, *CALL)
    board.journal.commit()
    assert len(board.records()) == 1


def test_events_of_a_router_with_another_clock_are_brought_to_ours(board: Board) -> None:
    board.journal.told_clock(ROUTER, T0 - 19_800, T0)
    board.journal.told_clock(ROUTER, T0 - 19_800.4, T0 + 0.1)
    board.journal.told_clock(Router(1, "near"), T0 - 0.9, T0)
    board.tell(1, *(each._replace(at=each.at - 19_800) for each in CALL))
    board.tell(1, *(each._replace(call_id="near") for each in CALL), router=Router(1, "near"))
    board.journal.commit()
    started = [each.started_at for each in read_records(board.cdr, lambda _: None)]
    assert started == [timestamp(T0), timestamp(T0)]


def test_a_record_is_on_disk_before_the_acknowledgement(board: Board) -> None:
    board.tell(1, *CALL)
    assert board.records() == []
    assert board.journal.commit() == {ROUTER: 4}
    assert board.records() == [("c", "answered")]
    assert board.journal.commit() == {}


def test_what_cannot_hold_records_is_refused_in_words(tmp_path: Path) -> None:
    """A container that mounts a file that is not there makes such a directory."""
    (tmp_path / "cdr.jsonl").mkdir()
    with pytest.raises(StateError, match=r"cdr\.jsonl cannot be used: .*directory"):
        Journal(tmp_path / "journal.db", tmp_path / "cdr.jsonl", MAX_CALL_S, T0)


def test_an_open_call_survives_a_restart(board: Board) -> None:
    board.tell(1, *CALL[:3])
    board.journal.commit()
    board.crash()
    assert [call["state"] for call in board.journal.calls(T0 + 3)] == ["up"]
    board.tell(4, CALL[3])
    assert board.journal.commit() == {ROUTER: 4}
    assert board.records() == [("c", "answered")]


def test_killed_before_the_append(board: Board) -> None:
    board.tell(1, *CALL)
    board.crash()
    assert board.records() == []
    board.tell(1, *CALL)
    board.journal.commit()
    assert board.records() == [("c", "answered")]


@pytest.mark.parametrize("committed", range(4))
def test_killed_between_append_and_commit(board: Board, committed: int) -> None:
    board.tell(1, *CALL[:committed])
    board.journal.commit()
    board.tell(1 + committed, *CALL[committed:])
    board.crash_after_append()
    assert board.journal.calls(T0) == []
    board.tell(1 + committed, *CALL[committed:])
    assert board.journal.commit() == {ROUTER: 4}
    assert board.records() == [("c", "answered")]


def test_no_call_of_many_has_two_lines_after_that(board: Board) -> None:
    events = [each for call_id in "123" for each in (invite(call_id=call_id), failed(486, call_id=call_id))]
    board.tell(1, *events)
    board.crash_after_append()
    board.tell(1, *events, invite(9, "2"), failed(603, at=10, call_id="2"))
    board.journal.commit()
    assert board.records() == [("1", "busy"), ("2", "busy"), ("3", "busy"), ("2", "declined")]


def test_killed_between_append_and_commit_and_again_before_the_router_is_back(board: Board) -> None:
    board.tell(1, *CALL)
    board.crash_after_append()
    board.tell(1, invite(call_id="2"), router=Router(1, "x"))
    board.journal.commit()
    board.crash()
    board.tell(1, *CALL)
    board.journal.commit()
    assert board.records() == [("c", "answered")]


def test_killed_before_the_acknowledgement(board: Board) -> None:
    board.tell(1, *CALL)
    board.journal.commit()
    board.crash()
    board.tell(1, *CALL)
    assert board.journal.commit() == {ROUTER: 4}
    assert board.records() == [("c", "answered")]
    assert board.journal.stats()["repeated_events"] == 4


def test_killed_within_a_line(board: Board) -> None:
    board.tell(1, invite(), failed(486), invite(call_id="2"), failed(603, call_id="2"))
    board.crash_after_append(torn_bytes=30)
    assert board.records() == [("c", "busy")]
    board.tell(1, invite(), failed(486), invite(call_id="2"), failed(603, call_id="2"))
    board.journal.commit()
    assert board.records() == [("c", "busy"), ("2", "declined")]


def test_rotated_while_the_journal_runs_and_while_it_does_not(board: Board) -> None:
    board.tell(1, *CALL)
    board.journal.commit()
    board.cdr.rename(board.cdr.with_suffix(".1"))
    board.tell(5, invite(call_id="2"), failed(486, call_id="2"))
    board.journal.commit()
    assert board.records() == [("2", "busy")]
    board.cdr.unlink()
    board.crash()
    board.tell(7, invite(call_id="3"), failed(486, call_id="3"))
    board.journal.commit()
    assert board.records() == [("3", "busy")]


def test_a_lost_journal_db_does_not_double_what_is_told_again(board: Board) -> None:
    board.tell(1, *CALL)
    board.journal.commit()
    board.journal.close()
    board.state.unlink()
    board.journal = board._start()
    board.tell(1, *CALL)
    board.journal.commit()
    assert board.records() == [("c", "answered")]


def test_a_lost_frame_is_told_again(board: Board) -> None:
    board.tell(1, CALL[0])
    board.journal.commit()
    board.tell(3, *CALL[2:])
    assert board.journal.commit() == {ROUTER: 1}
    board.tell(2, *CALL[1:])
    assert board.journal.commit() == {ROUTER: 4}
    assert board.records() == [("c", "answered")]
    assert board.journal.stats()["refused_events"] == 2


def test_old_calls_are_given_up(board: Board) -> None:
    board.tell(1, *CALL[:3])
    assert board.journal.next_deadline_at() == T0 + 2 + MAX_CALL_S
    board.journal.expire(FOREVER_AT)
    board.journal.commit()
    assert board.records() == [("c", "answered")]
    assert board.journal.next_deadline_at() is None


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        [0, "x"],
        ["0", "x", []],
        [0, "x", [None]],
        [0, "x", [["1", "ringing", "c", "a", T0]]],
        [0, "x", [[1, "hello"]]],
    ],
)
def test_what_is_malformed_is_counted(board: Board, body: object) -> None:
    board.journal.receive(body, T0)
    board.journal.commit()
    assert board.journal.stats()["malformed_events"] == 1


def test_a_malformed_event_is_acknowledged_with_its_neighbours(board: Board) -> None:
    board.journal.receive([0, "first", [item(1, invite()), [2, "hello"], item(3, failed(486))]], T0)
    assert board.journal.commit() == {ROUTER: 3}
    assert board.records() == [("c", "busy")]


def test_stats(board: Board) -> None:
    board.tell(1, *CALL, invite(call_id="2"), bye(call_id="9"))
    board.journal.commit()
    assert board.journal.stats() == {
        "records": 1,
        "unwritten_records": 0,
        "unwritten_bytes": 0,
        "postponed_events": 0,
        "open_calls": 1,
        "recorded_calls": 1,
        "stray_events": 1,
        "malformed_events": 0,
        "repeated_events": 0,
        "refused_events": 0,
        "missed_events": 0,
    }


def test_without_room_it_goes_on_in_memory(board: Board) -> None:
    board.tell(1, *CALL)
    with file_limit(0):
        assert board.journal.commit() == {}
        board.tell(5, *[each._replace(call_id="2") for each in CALL[:3]])
        assert board.journal.commit() == {}
        assert [call["call_id"] for call in board.journal.calls(T0 + 3)] == ["2"]
    assert (board.journal.held, board.records()) == ({ROUTER}, [])
    assert board.journal.stats()["unwritten_records"] == 1
    assert board.journal.writing.failures == 2
    assert board.journal.commit() == {ROUTER: 7}
    assert (board.journal.writing.error, board.journal.stats()["unwritten_bytes"]) == (0, 0)
    board.crash()
    board.tell(8, CALL[3]._replace(call_id="2"))
    assert board.journal.commit() == {ROUTER: 8}
    assert board.records() == [("c", "answered"), ("2", "answered")]


def test_lines_are_not_written_twice_where_only_the_state_has_no_room(board: Board) -> None:
    board.tell(1, *CALL)
    with file_limit(2000):
        for _ in range(3):
            assert board.journal.commit() == {}
            assert board.records() == [("c", "answered")]
    assert board.journal.commit() == {ROUTER: 4}
    assert board.records() == [("c", "answered")]


def test_killed_where_only_the_state_has_no_room(board: Board) -> None:
    board.tell(1, *CALL)
    with file_limit(2000):
        board.journal.commit()
    board.crash()
    board.tell(1, *CALL)
    assert board.journal.commit() == {ROUTER: 4}
    assert board.records() == [("c", "answered")]


def test_it_starts_without_room(tmp_path: Path) -> None:
    with file_limit(0):
        board = Board(tmp_path)
        board.tell(1, *CALL)
        assert board.journal.commit() == {}
        assert board.journal.calls(T0) == []
    assert (board.journal.postponed, board.journal.held) == (4, {ROUTER})
    board.journal.commit()
    board.tell(1, *CALL)
    assert board.journal.commit() == {ROUTER: 4}
    assert board.records() == [("c", "answered")]
    board.journal.close()


def test_what_is_too_much_stays_with_the_routers(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unwritten, "MOST_HELD_BYTES", 100)
    board.tell(1, *CALL)
    with file_limit(0):
        board.journal.commit()
        board.tell(5, invite(call_id="2"))
        assert board.journal.commit() == {}
    assert (board.journal.postponed, len(board.journal.calls(T0))) == (1, 0)
    assert board.journal.commit() == {ROUTER: 4}
    board.tell(5, invite(call_id="2"))
    assert board.journal.commit() == {ROUTER: 5}


def script(call_id: str, kind: int) -> tuple[list[CallEvent], str]:
    """The events of a call, and its outcome."""
    first = invite(call_id=call_id)
    ring, answer = ringing(call_id=call_id), answered(call_id=call_id)
    scripts: list[tuple[list[CallEvent], str]] = [
        ([first, ring, answer, bye(call_id=call_id)], "answered"),
        ([first, answer, bye("b", "a", call_id=call_id), bye("b", "a", call_id=call_id)], "answered"),
        ([first, ring, failed(487, "caller", call_id=call_id)], "cancelled"),
        ([first, failed(401, at=0.5, call_id=call_id), invite(1.5, call_id), ring, answer], "answered"),
        ([first, failed(486, call_id=call_id)], "busy"),
        ([first, ring], "failed"),
        ([first, failed(407, at=0.5, call_id=call_id)], "failed"),
    ]
    return scripts[kind]


class Fate(Enum):
    """What happens after a router has told something."""

    NOTHING = auto()
    ACKNOWLEDGED = auto()
    ACKNOWLEDGEMENT_LOST = auto()
    KILLED_BEFORE_APPEND = auto()
    KILLED_AFTER_APPEND = auto()
    KILLED_WITHIN_APPEND = auto()
    NO_ROOM = auto()
    ROOM_FOR_LINES = auto()
    KILLED_WITHOUT_ROOM = auto()
    KILLED_AFTER_THE_LINES = auto()


@dataclass(frozen=True)
class Telling:
    """A router tells `count` events, its first unacknowledged one first; `lost` of them get lost."""

    router: int
    count: int
    lost: int
    fate: Fate


TELLINGS = st.builds(
    Telling, st.integers(0, 1), st.integers(1, 9), st.sampled_from([0, 0, 0, 1, 5]), st.sampled_from(Fate)
)


def shuffled(calls: list[list[CallEvent]], chance: random.Random) -> list[CallEvent]:
    """The events of all calls, those of each in their order."""
    rest = [list(events) for events in calls]
    log = []
    while going := [events for events in rest if events]:
        log.append(chance.choice(going).pop(0))
    return log


def suffer(board: Board, fate: Fate, acknowledged: dict[int, int]) -> None:
    match fate:
        case Fate.ACKNOWLEDGED:
            acknowledged |= {router.instance: number for router, number in board.journal.commit().items()}
        case Fate.ACKNOWLEDGEMENT_LOST:
            board.journal.commit()
        case Fate.KILLED_BEFORE_APPEND:
            board.crash()
        case Fate.KILLED_AFTER_APPEND:
            board.crash_after_append()
        case Fate.KILLED_WITHIN_APPEND:
            board.crash_after_append(torn_bytes=100)
        case Fate.NO_ROOM | Fate.KILLED_WITHOUT_ROOM:
            with file_limit(0):
                acknowledged |= {router.instance: last for router, last in board.journal.commit().items()}
        case Fate.ROOM_FOR_LINES | Fate.KILLED_AFTER_THE_LINES:
            with file_limit(board.cdr.stat().st_size + 4000):
                acknowledged |= {router.instance: last for router, last in board.journal.commit().items()}
    if fate in (Fate.KILLED_WITHOUT_ROOM, Fate.KILLED_AFTER_THE_LINES):
        board.crash()


@settings(deadline=None)
@given(
    kinds=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=1, max_size=8),
    tellings=st.lists(TELLINGS, min_size=1, max_size=12),
    chance=st.randoms(use_true_random=False),
)
def test_each_call_has_one_record_through_every_crash(
    kinds: list[tuple[int, int]], tellings: list[Telling], chance: random.Random
) -> None:
    """Two routers with a log each, a bus that loses and repeats, a disk that is full, a journal that dies at any
    point.
    """
    calls = [(router, *script(str(number), kind)) for number, (router, kind) in enumerate(kinds)]
    logs = [shuffled([events for at, events, _ in calls if at == router], chance) for router in (0, 1)]
    acknowledged = {0: 0, 1: 0}
    with tempfile.TemporaryDirectory() as directory:
        board = Board(Path(directory))
        for telling in tellings:
            first = acknowledged[telling.router]
            events = logs[telling.router][first + telling.lost : first + telling.count]
            board.tell(1 + first + telling.lost, *events, router=Router(telling.router, "first"))
            suffer(board, telling.fate, acknowledged)
        for router in (0, 1):
            board.tell(1, *logs[router], router=Router(router, "first"))
        board.journal.expire(FOREVER_AT)
        board.journal.commit()
        board.journal.close()
        assert sorted(board.records()) == [(str(number), call[2]) for number, call in enumerate(calls)]
