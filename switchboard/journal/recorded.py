"""Which calls have their record already."""

from collections import OrderedDict
from datetime import datetime

from switchboard.journal.call import Key
from switchboard.journal.events import Invite
from switchboard.journal.record import CallDetailRecord, timestamp

MAX_RECORDED = 20_000
_ROUNDING_S = 0.0005


class Recorded:
    """Remembers when the newest `limit` recorded calls ended, so that no event opens one again.

    A call is known by its key (Call-ID, caller's tag). One of which only the line was found after a crash is
    known by Call-ID and start, which the line has, until its INVITE comes back and tells the tag; the two
    cannot be mistaken, since no tag has a colon. All changes wait in `added` and `forgotten` for the store.
    """

    def __init__(self, limit: int = MAX_RECORDED) -> None:
        self.limit = limit
        self.added: dict[Key, float] = {}
        self.forgotten: set[Key] = set()
        self._ended_at: OrderedDict[Key, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ended_at)

    def restore(self, saved: dict[Key, float]) -> None:
        """Take over what the store has kept, oldest first."""
        self._ended_at.update(saved)

    def add(self, key: Key, ended_at: float) -> None:
        """The call has its record; `ended_at`: epoch s."""
        self._ended_at.pop(key, None)
        self._ended_at[key] = self.added[key] = ended_at
        self.forgotten.discard(key)
        if len(self._ended_at) > self.limit:
            self.forget(next(iter(self._ended_at)))

    def add_line(self, record: CallDetailRecord) -> None:
        """The call was found on disk, without the tag. Its end was rounded: it may be that much later."""
        key = record.call_id, record.started_at
        self.add(key, datetime.fromisoformat(record.ended_at).timestamp() + _ROUNDING_S)

    def has(self, event: Invite) -> bool:
        """True if the INVITE belongs to a recorded call. A younger one begins another call, tag or no tag:
        a phone that was redirected or refused may try again under the same Call-ID (RFC 3261 §8.1.3.4)."""
        self.settle(event.call_id, event.from_tag, event.at)
        return self.covers((event.call_id, event.from_tag), event.at)

    def covers(self, key: Key, at: float) -> bool:
        """True if a call of that key has its record and had not ended before `at`."""
        ended_at = self._ended_at.get(key)
        return ended_at is not None and at <= ended_at

    def settle(self, call_id: str, from_tag: str, started_at: float) -> bool:
        """True if the line of a call with that start was found: from now on the call is known by its key."""
        found = call_id, timestamp(started_at)
        ended_at = self._ended_at.get(found)
        if ended_at is None:
            return False
        self.forget(found)
        self.add((call_id, from_tag), ended_at)
        return True

    def forget(self, key: Key) -> None:
        """The call is not known any more."""
        del self._ended_at[key]
        self.added.pop(key, None)
        self.forgotten.add(key)
