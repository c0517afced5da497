"""The journal's memory: open calls, the time until which each is waited for, recorded calls, and what is to be written.

`CallTable` is the compiled twin (`_native/journal.pyx`) where there is one. It keeps plain calls in C and folds
their plain events directly from the packed frame. `Call` and `fold.py` have the rules for all others.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from switchboard import codec
from switchboard.journal.call import Call, Key
from switchboard.journal.changes import MAX_RECORDED, Batch, Changes, Run, Telling
from switchboard.journal.record import CallDetailRecord, by_wall_clock
from switchboard.journal.waits import Waits


class CallTableInPython:
    """The reference. `now_at`, here as elsewhere: epoch s."""

    def __init__(self, max_call_s: float, max_recorded: int = MAX_RECORDED) -> None:
        self.correction_s = 0.0
        """How much the wall clock, which records show, is ahead of the instants of events."""
        self.slow_s = 0.0
        """How much the clock of the router whose events are folded is behind ours."""
        self._max_recorded = max_recorded
        self._last_serial = 0
        self._open: OrderedDict[Key, Call] = OrderedDict()
        self._waits = Waits(max_call_s)
        self._changed: dict[int, Call] = {}
        self._written: OrderedDict[int, tuple[int, Call]] = OrderedDict()
        self._ended_at: OrderedDict[Key, float] = OrderedDict()
        self._lines: list[bytes] = []
        self._closed: list[int] = []
        self._ended: list[tuple[str, str, float | None]] = []

    def __len__(self) -> int:
        """How many calls are open."""
        return len(self._open)

    @property
    def recorded(self) -> int:
        """How many recorded calls are remembered."""
        return len(self._ended_at)

    def restore(self, saved: list[tuple[int, Call]], ended: dict[Key, float], now_at: float) -> None:
        """Take over what the store has kept: calls with the rows that they were written in, oldest row first."""
        self._ended_at.update(ended)
        self._written.update((call.serial, (row, call)) for row, call in saved)
        calls = sorted((call for _, call in saved), key=lambda call: call.serial)
        self._open.update((call.key, call) for call in calls)
        self._last_serial = calls[-1].serial if calls else 0
        for call in sorted(calls, key=lambda call: call.waits_since):
            self._waits.set(call, now_at)

    def find(self, key: Key) -> Call | None:
        """The open call of that key. Who changes it has to `keep` it, or to `end` it."""
        return self._open.get(key)

    def oldest(self) -> Call:
        """The open call that began first; there is one."""
        return next(iter(self._open.values()))

    def calls(self) -> list[Call]:
        """The open calls, oldest first."""
        return list(self._open.values())

    def keep(self, call: Call, now_at: float) -> None:
        """The call is new or has changed, and stays open."""
        serial = call.serial
        if not serial:
            serial = call.serial = self._last_serial = self._last_serial + 1
            self._open[call.key] = call
        self._changed[serial] = call
        self._waits.set(call, now_at)

    def end(self, call: Call, record: CallDetailRecord) -> None:
        """The call has its record."""
        self._lines.append(by_wall_clock(record, self.correction_s).to_line())
        self.add_end(call.key, call.ended_at or 0.0)
        self.close(call)

    def close(self, call: Call) -> None:
        """The call is not open any more."""
        key, serial = call.key, call.serial
        del self._open[key]
        self._waits.drop(key)
        self._changed.pop(serial, None)
        if self._written.pop(serial, None):
            self._closed.append(serial)

    def due(self, now_at: float) -> list[Call]:
        """The calls that have been waited for long enough; they are waited for no longer."""
        return [self._open[key] for key in self._waits.due(now_at)]

    def next_deadline_at(self) -> float | None:
        """When a call will be due; None while none is open."""
        return self._waits.next_deadline_at()

    def ended_at(self, key: Key) -> float | None:
        """When the recorded call of that key ended."""
        return self._ended_at.get(key)

    def add_end(self, key: Key, ended_at: float) -> None:
        """Remember a recorded call; the oldest goes if there are too many."""
        self._ended_at.pop(key, None)
        self._ended_at[key] = ended_at
        self._ended.append((*key, ended_at))
        if len(self._ended_at) > self._max_recorded:
            self._ended_at.popitem(last=False)

    def forget_end(self, key: Key) -> None:
        """Remember it no longer."""
        del self._ended_at[key]
        self._ended.append((*key, None))

    def take_changes(self, row: int, worn: int) -> Changes:
        """Return what is to be written in row `row` of the log, and what is in rows up to `worn` once more."""
        calls = [*self._closed, *self._save(row, self._changed), *self._save(row, self._worn(worn))]
        lines = Batch(b"".join(self._lines), len(self._lines))
        changes = Changes(lines, _packed(calls), _packed(self._ended))
        self._lines, self._closed, self._ended, self._changed = [], [], [], {}
        return changes

    def _worn(self, worn: int) -> dict[int, Call]:
        calls = {}
        for serial, (row, call) in self._written.items():
            if row > worn:
                break
            calls[serial] = call
        return calls

    def _save(self, row: int, calls: dict[int, Call]) -> Iterable[object]:
        for serial, call in calls.items():
            self._written[serial] = row, call
            self._written.move_to_end(serial)
            yield call.save()

    def read_head(self, frame: bytes, start: int) -> Telling | None:  # noqa: ARG002
        """The head of a packed `call.happened`, whose body begins at `start`; None if `fold` cannot read it.

        The compiled twin alone can.
        """
        return None

    def fold(self, frame: bytes, start: int, count: int, number: int, now_at: float) -> Run:
        """Take the `count` events from `start` on, the first of which has that number, up to one that is not
        plain: it is of a call that is not, has another number, or is no event. `frame` has a head that was read.
        """
        raise NotImplementedError


def _packed(entries: Sequence[object]) -> Batch:
    head = codec.list_head(len(entries))
    return Batch(codec.pack(entries)[len(head) :], len(entries))


try:
    from switchboard._native.journal import CallTable as CallTable
except ImportError:
    CallTable = CallTableInPython  # type: ignore[assignment, misc]
