"""Folds call events into call detail records: pure bookkeeping, time as an argument.

Every INVITE opens a call, and every call gives exactly one record. `call.py` has the rules of a single call. This
file decides to which call an event belongs, and what happens with events of no call. Recorded calls are remembered,
so that their events make no second record when they come again.
"""

from collections.abc import Iterable
from typing import Protocol

from switchboard.journal.call import Call, Key
from switchboard.journal.events import (
    Answered,
    Bye,
    CallEvent,
    Failed,
    Forwarded,
    Invite,
    Refreshed,
    Relayed,
    Ringing,
    Unconfirmed,
)
from switchboard.journal.record import CallDetailRecord, Party, instant, shown
from switchboard.journal.table import CallTableInPython

_ROUNDING_S = 0.0005


class Ends(Protocol):
    """When the recorded calls ended, epoch s (`CallTable`)."""

    correction_s: float

    def ended_at(self, key: Key) -> float | None: ...
    def add_end(self, key: Key, ended_at: float) -> None: ...
    def forget_end(self, key: Key) -> None: ...


class Recorded:
    """Knows recorded calls by key, and when they ended.

    A call that was found on disk after a crash bears no tag there: it is known under its Call-ID and start,
    which the line has, until its INVITE comes back and tells the tag; the two cannot be mistaken, since no
    tag has a colon.
    """

    def __init__(self, ends: Ends) -> None:
        self._ends = ends

    def add_line(self, record: CallDetailRecord) -> None:
        """The call was found on disk, without the tag. Its end was rounded: it may be that much later."""
        ended_at = instant(record.ended_at) - self._ends.correction_s + _ROUNDING_S
        self._ends.add_end((record.call_id, record.started_at), ended_at)

    def has(self, event: Invite) -> bool:
        """True if the INVITE belongs to a recorded call. A younger one begins another call, tag or no tag:
        a phone that was redirected or refused may try again under the same Call-ID (RFC 3261 §8.1.3.4)."""
        self.settle(event.call_id, event.from_tag, event.at)
        return self.covers((event.call_id, event.from_tag), event.at)

    def covers(self, key: Key, at: float) -> bool:
        """True if a call of that key has its record and had not ended before `at`."""
        ended_at = self._ends.ended_at(key)
        return ended_at is not None and at <= ended_at

    def settle(self, call_id: str, from_tag: str, started_at: float) -> bool:
        """True if the line of a call with that start was found: from now on the call is known by its key."""
        found = call_id, shown(started_at, self._ends.correction_s)
        ended_at = self._ends.ended_at(found)
        if ended_at is None:
            return False
        self._ends.forget_end(found)
        self._ends.add_end((call_id, from_tag), ended_at)
        return True


MAX_OPEN = 200_000
"""Open calls; the oldest is given up for one more."""


class CallFolder:
    """Changes the calls of a table as events tell. `now_at`: epoch s."""

    def __init__(self, table: CallTableInPython, max_open: int = MAX_OPEN) -> None:
        self.max_open = max_open
        self.strays = 0
        """Events that belong to no open call: late or repeated ones."""
        self._table = table
        self._recorded = Recorded(table)

    def skip(self, records: Iterable[CallDetailRecord]) -> None:
        """These records are on disk, though the store does not know: no call of theirs yields another."""
        found = list(records)
        for record in found:
            self._recorded.add_line(record)
        for call in self._table.calls() if found else ():
            if self._recorded.settle(call.call_id, call.from_tag, call.started_at):
                self._table.close(call)

    def fold(self, event: CallEvent, now_at: float) -> None:
        """Take one event; those of a call in their order, but repeats and latecomers do no harm."""
        if isinstance(event, Invite):
            self._invite(event, now_at)
        elif isinstance(event, Bye):
            self._bye(event, now_at)
        elif isinstance(event, Refreshed):
            self._refreshed(event, now_at)
        elif isinstance(event, Relayed):
            self._relayed(event, now_at)
        else:
            self._respond(event, now_at)

    def expire(self, now_at: float) -> None:
        """Give up the calls that have been waited for long enough."""
        for call in self._table.due(now_at):
            self._give_up(call, now_at)

    def _invite(self, event: Invite, now_at: float) -> None:
        call = self._table.find((event.call_id, event.from_tag))
        if call is not None and call.is_before(event):
            self._give_up(call, now_at)
            call = None
        if call is not None:
            call.invite_again(event)
            self._table.keep(call, now_at)
        elif self._recorded.has(event):
            self.strays += 1
        else:
            self._make_room(now_at)
            self._table.keep(Call.begin(event), now_at)

    def _respond(self, event: Ringing | Forwarded | Answered | Failed | Unconfirmed, now_at: float) -> None:
        call = self._find((event.call_id, event.from_tag), event.at)
        if call is None:
            self.strays += 1
            return
        record = None
        if isinstance(event, Ringing):
            call.ring(event)
        elif isinstance(event, Forwarded):
            call.forward(event)
        elif isinstance(event, Unconfirmed):
            call.confirm_late()
        elif isinstance(event, Answered):
            record = call.answer(event)
        else:
            record = call.fail(event)
        self._follow(call, record, now_at)

    def _bye(self, event: Bye, now_at: float) -> None:
        if call := self._find((event.call_id, event.from_tag), event.at):
            self._follow(call, call.hang_up(event, event.to_tag, event.by or Party.CALLER), now_at)
        elif call := self._find((event.call_id, event.to_tag), event.at):
            self._follow(call, call.hang_up(event, event.from_tag, event.by or Party.CALLEE), now_at)
        else:
            self.strays += 1

    def _refreshed(self, event: Refreshed, now_at: float) -> None:
        for tag in (event.from_tag, event.to_tag):
            if call := self._find((event.call_id, tag), event.at):
                call.refresh(event)
                self._table.keep(call, now_at)
                return
        self.strays += 1

    def _relayed(self, event: Relayed, now_at: float) -> None:
        for tag, is_by_caller in ((event.from_tag, True), (event.to_tag, False)):
            if call := self._find((event.call_id, tag), event.at):
                call.relay(event, is_by_caller)
                self._table.keep(call, now_at)
                return
        self.strays += 1

    def _find(self, key: Key, at: float) -> Call | None:
        """The open call; None too for what happened in an earlier call under the same key."""
        return None if self._recorded.covers(key, at) else self._table.find(key)

    def _follow(self, call: Call, record: CallDetailRecord | None, now_at: float) -> None:
        if record is None:
            self._table.keep(call, now_at)
        else:
            self._table.end(call, record)

    def _give_up(self, call: Call, now_at: float) -> None:
        self._table.end(call, call.give_up(now_at))

    def _make_room(self, now_at: float) -> None:
        if len(self._table) >= self.max_open:
            self._give_up(self._table.oldest(), now_at)
