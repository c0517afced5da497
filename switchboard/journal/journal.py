"""The journal: takes call events, keeps the calls, writes each ended call's record once.

A drain's events are folded in memory; `commit` then appends the records to cdr.jsonl, commits the state to
journal.db, and only then hands out the acknowledgements. Killed before the append, nothing has happened and
the routers tell it all again. Killed between append and commit, the lines beyond the committed mark say which
calls are recorded. Killed before the acknowledgement, the numbers say which events were taken.
"""

from pathlib import Path

from switchboard.journal.deliveries import Deliveries, Router
from switchboard.journal.events import EventError, read_event
from switchboard.journal.fold import CallFolder
from switchboard.journal.state import StateStore
from switchboard.journal.writer import RecordWriter

_TELLING = (int, str, list)


class Journal:
    """Owns journal.db and cdr.jsonl. `now_at`: epoch s.

    Raises StateError at start, OSError and sqlite3.Error when a disk fails: then nothing is acknowledged.
    """

    def __init__(self, state_path: Path, cdr_path: Path, max_call_s: float, now_at: float) -> None:
        self.malformed = 0
        self.records = 0
        self._deliveries = Deliveries()
        self._folder = CallFolder(max_call_s)
        self._told: set[Router] = set()
        self._store = StateStore(state_path)
        self._writer = RecordWriter(cdr_path)
        self._restore(now_at)

    def receive(self, body: object, now_at: float) -> None:
        """Take `[instance, incarnation, [[number, event…], …]]`; what is malformed is counted and left."""
        if not isinstance(body, list) or tuple(map(type, body)) != _TELLING:
            self.malformed += 1
            return
        instance, incarnation, items = body
        router = Router(instance, incarnation)
        for item in items:
            self._take(router, item, now_at)
        self._told.add(router)

    def expire(self, now_at: float) -> None:
        """Give up calls from which nothing more is expected."""
        self._folder.expire(now_at)

    def next_deadline_at(self) -> float | None:
        """When `expire` has work to do."""
        return self._folder.next_deadline_at()

    def commit(self) -> dict[Router, int]:
        """Make durable what was taken; then return the last number of each router that told something."""
        changes, numbers = self._folder.take_changes(), self._deliveries.take_advanced()
        if changes or numbers:
            mark = self._writer.append(changes.records) if changes.records else self._writer.mark
            self._store.commit(changes, numbers, self._deliveries.take_retired(), mark)
            self.records += len(changes.records)
        told, self._told = self._told, set()
        return {router: last for router in told if (last := self._deliveries.last(router)) is not None}

    def calls(self, now_at: float) -> list[dict[str, object]]:
        """The calls in progress, oldest first, as `Call.describe` tells of each."""
        return self._folder.calls(now_at)

    def stats(self) -> dict[str, float]:
        """What has happened since the start."""
        return {
            "records": self.records,
            "open_calls": len(self._folder),
            "recorded_calls": len(self._folder.recorded),
            "stray_events": self._folder.strays,
            "malformed_events": self.malformed,
            "repeated_events": self._deliveries.repeated,
            "refused_events": self._deliveries.refused,
            "missed_events": self._deliveries.missed,
        }

    def close(self) -> None:
        """Let go of the files; what was not committed will be told again."""
        self._writer.close()
        self._store.close()

    def _restore(self, now_at: float) -> None:
        saved = self._store.load()
        self._deliveries.restore(saved.numbers)
        self._folder.restore(saved.calls, saved.recorded, now_at)
        self._folder.skip(self._writer.records_beyond(saved.mark))

    def _take(self, router: Router, item: object, now_at: float) -> None:
        if not isinstance(item, list) or not item or type(item[0]) is not int:
            self.malformed += 1
            return
        if not self._deliveries.accept(router, item[0], now_at):
            return
        try:
            self._folder.fold(read_event(item), now_at)
        except EventError:
            self.malformed += 1
