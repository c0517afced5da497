"""Calls that have their record: events of them that come again make no second one."""

from datetime import datetime
from typing import Protocol

from switchboard.journal.call import Key
from switchboard.journal.events import Invite
from switchboard.journal.record import CallDetailRecord, timestamp

_ROUNDING_S = 0.0005


class Ends(Protocol):
    """When the recorded calls ended, epoch s (`CallTable`)."""

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
        ended_at = datetime.fromisoformat(record.ended_at).timestamp() + _ROUNDING_S
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
        found = call_id, timestamp(started_at)
        ended_at = self._ends.ended_at(found)
        if ended_at is None:
            return False
        self._ends.forget_end(found)
        self._ends.add_end((call_id, from_tag), ended_at)
        return True
