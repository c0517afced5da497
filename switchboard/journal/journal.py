"""The journal: takes call events, keeps the calls, and writes the record of each ended call once.

Theory. Exactly one record for each call follows from the order of four steps. The events of a drain are folded in
memory. `commit` appends the records to cdr.jsonl. Then it commits the state to journal.db. Only then are the events
acknowledged. A process that is killed

    before the append             has written nothing, and the routers send all events again
    between append and commit     has left lines beyond the mark in journal.db; they show which calls are recorded
    before the acknowledgement    has the numbers of the events that it took, so repeated ones do no harm

While the disk is full or broken, all this goes on in memory, and nothing is acknowledged. `commit` tries again, and
then writes all that waits at once. Beyond a bound the journal takes no events; they stay with the routers.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from switchboard import codec
from switchboard.journal.changes import Run
from switchboard.journal.deliveries import Deliveries, Router
from switchboard.journal.events import EventError, read_event
from switchboard.journal.file import RecordWriter
from switchboard.journal.fold import CallFolder
from switchboard.journal.record import moved
from switchboard.journal.state import StateError, StateStore
from switchboard.journal.table import CallTable, CallTableInPython
from switchboard.journal.unwritten import Unwritten
from switchboard.storage.restoring import take_restored
from switchboard.storage.unusable import NotWritten
from switchboard.storage.writing import DISK, Writing, error_number

_TELLING = (int, str, list)
ALIKE_S = 1.0
"""Clocks of two hosts that differ by less count as one."""


class Journal:
    """Owns journal.db and cdr.jsonl. `now_at`: epoch s. `writing` tells whether they can be written.

    Raises StateError at start, or in `commit` if the files could not be opened before and are of no use.
    """

    def __init__(
        self,
        state_path: Path,
        cdr_path: Path,
        max_call_s: float,
        now_at: float,
        table: type[CallTableInPython] = CallTable,
    ) -> None:
        self.malformed = 0
        self.records = 0
        self.postponed = 0
        """Events that were not taken, since too much waits for the disk: the routers tell them again."""
        self.writing = Writing(f"{state_path}, {cdr_path}", "calls go on; their events wait in memory")
        self._paths = state_path, cdr_path
        self._unwritten = Unwritten()
        self._store: StateStore | None = None
        self._writer: RecordWriter | None = None
        self._deliveries = Deliveries()
        self._table = table(max_call_s)
        self._folder = CallFolder(self._table)
        self._told: set[Router] = set()
        self._slow_s: dict[Router, float] = {}
        self._began_at = now_at
        self._try(self._open)

    def receive_frame(self, frame: bytes, start: int, now_at: float) -> int | None:
        """Take a `call.happened` whose packed body begins at `start`, and return how many events it has.

        None: it has to be unpacked, for `receive`.
        """
        telling = self._table.read_head(frame, start)
        if telling is None:
            return None
        router = Router(telling.instance, telling.incarnation)
        if not self._takes_events(router, telling.events):
            return telling.events
        start, left = telling.start, telling.events
        while left:
            run = self._take_plain(router, frame, start, left, now_at)
            left -= run.taken
            if left:
                self._take(router, codec.unpack(frame[run.start : run.end]), now_at)
                left -= 1
            start = run.end
        return telling.events

    def receive(self, body: object, now_at: float) -> None:
        """Take `[instance, incarnation, [[number, event…], …]]`; what is malformed is counted and left."""
        if not isinstance(body, list) or tuple(map(type, body)) != _TELLING:
            self.malformed += 1
            return
        instance, incarnation, items = body
        router = Router(instance, incarnation)
        if not self._takes_events(router, len(items)):
            return
        for item in items:
            self._take(router, item, now_at)

    def correct(self, correction_s: float) -> None:
        """How much the wall clock, which records show, is ahead of the clock of `now_at` and of events."""
        self._table.correction_s = correction_s

    def told_clock(self, router: Router, at: float, now_at: float) -> None:
        """A router of another host is about to tell of events by its clock, which shows `at`."""
        slow_s = now_at - at
        if abs(slow_s) >= ALIKE_S:
            self._slow_s.setdefault(router, slow_s)

    def expire(self, now_at: float) -> None:
        """Give up calls from which nothing more is expected."""
        self._folder.expire(now_at)

    def next_deadline_at(self) -> float | None:
        """When `expire` has work to do."""
        return self._table.next_deadline_at()

    def commit(self) -> dict[Router, int]:
        """Make durable what was taken; then return the last number of each router that told something.

        Nothing, if that cannot be written: then it waits for the next commit, and the routers are `held`.
        """
        if not self._try(self._write):
            return {}
        told, self._told = self._told, set()
        return {router: last for router in told if (last := self._deliveries.last(router)) is not None}

    @property
    def held(self) -> set[Router]:
        """Routers whose events are here, and not on the disk."""
        return self._told

    def calls(self, now_at: float) -> list[dict[str, object]]:
        """The calls in progress, oldest first, as `Call.describe` tells of each."""
        calls = (call.describe(now_at) for call in self._table.calls())
        correction_s = self._table.correction_s
        return [moved(call, correction_s) if correction_s else call for call in calls]

    def image(self) -> bytes:
        """journal.db as of the last commit. NotWritten: it could not even be opened."""
        if not self._store:
            raise NotWritten(self.writing.note())
        return self._store.image()

    def stats(self) -> dict[str, float]:
        """What has happened since the start."""
        return {
            "records": self.records,
            "unwritten_records": self._unwritten.records,
            "unwritten_bytes": self._unwritten.octets,
            "postponed_events": self.postponed,
            "open_calls": len(self._table),
            "recorded_calls": self._table.recorded,
            "stray_events": self._folder.strays,
            "malformed_events": self.malformed,
            "repeated_events": self._deliveries.repeated,
            "refused_events": self._deliveries.refused,
            "missed_events": self._deliveries.missed,
        }

    def close(self) -> None:
        """Let go of the files; what was not committed will be told again."""
        for each in (self._writer, self._store):
            if each:
                each.close()

    def _try(self, write: Callable[[], object]) -> bool:
        """Whether it could be written. StateError where no disk is to blame."""
        try:
            write()
        except (OSError, sqlite3.Error, StateError) as error:
            number = error_number(error.__cause__ or error if isinstance(error, StateError) else error)
            if number not in DISK:
                raise
            self.writing.failed(number)
            return False
        self.writing.worked()
        return True

    def _open(self) -> tuple[StateStore, RecordWriter]:
        """Both files; what they hold is taken over when they could be opened."""
        if self._store and self._writer:
            return self._store, self._writer
        state_path, cdr_path = self._paths
        store = StateStore(state_path)
        try:
            take_restored(cdr_path)
            writer = RecordWriter(cdr_path)
        except OSError as error:
            store.close()
            raise StateError(
                f"{cdr_path} cannot be used: {error}. It must be a file that can be written, or not exist."
            ) from error
        self._store, self._writer = store, writer
        saved = store.load()
        self._deliveries.restore(saved.numbers)
        self._table.restore(saved.calls, saved.recorded, self._began_at)
        self._folder.skip(writer.records_beyond(saved.mark))
        return store, writer

    def _write(self) -> None:
        """All that waits. What raises leaves what is not written yet to the next time."""
        store, writer = self._open()
        row = store.next_row(len(self._table))
        changes, waiting = self._table.take_changes(row.number, row.worn), self._unwritten
        if self._deliveries.have_changed() or changes:
            waiting.add(row, changes)
        if not waiting:
            return
        if waiting.line_octets:
            writer.append(waiting.lines())
            waiting.lines_are_written()
        store.commit(waiting.row, waiting.changes(), self._deliveries.numbers, writer.mark)
        self.records += waiting.records
        self._unwritten = Unwritten()

    def _takes_events(self, router: Router, count: int) -> bool:
        """Whether there is room for more; if not, the router has to tell them again."""
        self._told.add(router)
        if self._store and not self._unwritten.is_full:
            return True
        self.postponed += count
        return False

    def _take_plain(self, router: Router, frame: bytes, start: int, left: int, now_at: float) -> Run:
        """Take plain events as long as they are the next ones; none of a router that was never heard of."""
        last = self._deliveries.last(router)
        number = -1 if last is None or len(self._table) + left > self._folder.max_open else last + 1
        self._table.slow_s = self._slow_s.get(router, 0.0)
        run = self._table.fold(frame, start, left, number, now_at)
        if run.taken:
            self._deliveries.advance(router, run.taken)
        return run

    def _take(self, router: Router, item: object, now_at: float) -> None:
        if not isinstance(item, list) or not item or type(item[0]) is not int:
            self.malformed += 1
            return
        if not self._deliveries.accept(router, item[0], now_at):
            return
        try:
            event = read_event(item)
            if slow_s := self._slow_s.get(router):
                event = event._replace(at=event.at + slow_s)
            self._folder.fold(event, now_at)
        except EventError:
            self.malformed += 1
