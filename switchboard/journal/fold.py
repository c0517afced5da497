"""Folds call events into call detail records: pure bookkeeping, time as an argument.

Every INVITE opens a call, every call yields exactly one record. The rules of a single call are in `call.py`;
here is which call an event belongs to, and what becomes of events that belong to none.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from switchboard.journal.call import Call, Key
from switchboard.journal.events import (
    Answered,
    Bye,
    CallEvent,
    Failed,
    Invite,
    Refreshed,
    Ringing,
    Unconfirmed,
)
from switchboard.journal.record import CallDetailRecord, Party
from switchboard.journal.recorded import Recorded
from switchboard.journal.waits import Waits

MAX_OPEN = 200_000
"""Open calls; the oldest is given up for one more."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed since it was last asked for: all that the store needs to follow."""

    records: list[CallDetailRecord]
    """Of the calls that ended, in their order."""
    opened: list[Call]
    """Open calls that are new or have changed."""
    closed: set[Key]
    """Calls that are not open any more."""
    recorded: dict[Key, float]
    """Calls that have their record, and when they ended."""
    forgotten: set[Key]
    """Calls that nobody needs to remember any more."""

    def __bool__(self) -> bool:
        return bool(self.opened or self.closed or self.recorded or self.forgotten)


class CallFolder:
    """Keeps the open calls. `now_at`: epoch s."""

    def __init__(self, max_call_s: float, max_open: int = MAX_OPEN) -> None:
        self.max_open = max_open
        self.recorded = Recorded()
        self.strays = 0
        """Events that belong to no open call: late or repeated ones."""
        self._open: OrderedDict[Key, Call] = OrderedDict()
        self._waits = Waits(max_call_s)
        self._changed: dict[Key, None] = {}
        self._closed: set[Key] = set()
        self._records: list[CallDetailRecord] = []

    def __len__(self) -> int:
        return len(self._open)

    def restore(self, calls: Iterable[Call], recorded: dict[Key, float], now_at: float) -> None:
        """Take over what the store has kept, oldest first."""
        self.recorded.restore(recorded)
        self._open.update((call.key, call) for call in calls)
        for call in sorted(self._open.values(), key=lambda call: call.waits_since):
            self._waits.set(call, now_at)

    def skip(self, records: Iterable[CallDetailRecord]) -> None:
        """These records are on disk, though the store does not know: no call of theirs yields another."""
        for record in records:
            self.recorded.add_line(record)
        for call in list(self._open.values()):
            if self.recorded.settle(call.call_id, call.from_tag, call.started_at):
                self._close(call.key)

    def fold(self, event: CallEvent, now_at: float) -> None:
        """Take one event; those of a call in their order, but repeats and latecomers do no harm."""
        if isinstance(event, Invite):
            self._invite(event, now_at)
        elif isinstance(event, Bye):
            self._bye(event, now_at)
        elif isinstance(event, Refreshed):
            self._refreshed(event, now_at)
        else:
            self._respond(event, now_at)

    def expire(self, now_at: float) -> None:
        """Give up the calls that have been waited for long enough."""
        for key in list(self._waits.due(now_at)):
            self._give_up(key, now_at)

    def next_deadline_at(self) -> float | None:
        """When `expire` has work to do."""
        return self._waits.next_deadline_at()

    def calls(self, now_at: float) -> list[dict[str, object]]:
        """The open calls, oldest first, as `Call.describe` tells of each."""
        return [call.describe(now_at) for call in self._open.values()]

    def take_changes(self) -> Changes:
        """Return what has changed since the last time."""
        recorded = self.recorded
        opened = [self._open[key] for key in self._changed]
        changes = Changes(self._records, opened, self._closed, recorded.added, recorded.forgotten)
        self._records, self._changed, self._closed = [], {}, set()
        recorded.added, recorded.forgotten = {}, set()
        return changes

    def _invite(self, event: Invite, now_at: float) -> None:
        key = event.call_id, event.from_tag
        call = self._open.get(key)
        if call is not None and call.is_before(event):
            self._give_up(key, now_at)
            call = None
        if call is not None:
            call.invite_again(event)
            self._touch(call, now_at)
        elif self.recorded.has(event):
            self.strays += 1
        else:
            self._make_room(now_at)
            self._open[key] = call = Call.begin(event)
            self._touch(call, now_at)

    def _respond(self, event: Ringing | Answered | Failed | Unconfirmed, now_at: float) -> None:
        call = self._find((event.call_id, event.from_tag), event.at)
        if call is None:
            self.strays += 1
            return
        if isinstance(event, Ringing):
            call.ring(event)
            self._touch(call, now_at)
        elif isinstance(event, Unconfirmed):
            call.confirm_late()
            self._touch(call, now_at)
        elif isinstance(event, Answered):
            self._follow(call, call.answer(event), now_at)
        else:
            self._follow(call, call.fail(event), now_at)

    def _bye(self, event: Bye, now_at: float) -> None:
        if call := self._find((event.call_id, event.from_tag), event.at):
            self._follow(call, call.hang_up(event, event.to_tag, Party.CALLER), now_at)
        elif call := self._find((event.call_id, event.to_tag), event.at):
            self._follow(call, call.hang_up(event, event.from_tag, Party.CALLEE), now_at)
        else:
            self.strays += 1

    def _refreshed(self, event: Refreshed, now_at: float) -> None:
        for tag in (event.from_tag, event.to_tag):
            if call := self._find((event.call_id, tag), event.at):
                call.refresh(event)
                self._touch(call, now_at)
                return
        self.strays += 1

    def _find(self, key: Key, at: float) -> Call | None:
        """The open call; None too for what happened in an earlier call under the same key."""
        return None if self.recorded.covers(key, at) else self._open.get(key)

    def _follow(self, call: Call, record: CallDetailRecord | None, now_at: float) -> None:
        if record is None:
            self._touch(call, now_at)
        else:
            self._record(call, record)

    def _touch(self, call: Call, now_at: float) -> None:
        self._changed[call.key] = None
        self._closed.discard(call.key)
        self._waits.set(call, now_at)

    def _record(self, call: Call, record: CallDetailRecord) -> None:
        self._records.append(record)
        self.recorded.add(call.key, call.ended_at or 0.0)
        self._close(call.key)

    def _close(self, key: Key) -> None:
        del self._open[key]
        self._waits.drop(key)
        self._changed.pop(key, None)
        self._closed.add(key)

    def _give_up(self, key: Key, now_at: float) -> None:
        call = self._open[key]
        self._record(call, call.give_up(now_at))

    def _make_room(self, now_at: float) -> None:
        if len(self._open) >= self.max_open:
            self._give_up(next(iter(self._open)), now_at)
