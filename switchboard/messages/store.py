"""Kept texts on disk (SQLite), for nobody else's eyes; durable before the sender hears 202."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from switchboard.messages.box import Slip
from switchboard.messages.kept import Kept
from switchboard.storage.record_store import RecordStore, Table
from switchboard.storage.rescue import Row
from switchboard.storage.unusable import UnusableFile


class MessageStoreError(UnusableFile):
    """The store cannot be used; the text tells people why and what to do."""


_TYPES: Final = {
    "number": "INTEGER",
    "key": "TEXT",
    "user": "TEXT",
    "sender": "TEXT",
    "call_id": "TEXT",
    "is_proved": "INTEGER",
    "sent_at": "REAL",
    "ends_at": "REAL",
    "raw": "BLOB",
    "changed_at": "REAL",
}


def _kept_in(row: Row) -> Sequence[Any] | None:
    """A row of `messages`, whose key stands first on the disk."""
    match row:
        case None, [
            str(key), int(number), str(user), str(sender), str(call_id), int(is_proved), int() | float() as sent_at,
            int() | float() as ends_at, bytes() | "" as raw, int() | float() as changed_at,
        ]:  # fmt: skip
            times = float(sent_at), float(ends_at)
            return number, key, user, sender, call_id, is_proved, *times, raw, float(changed_at)
    return None


MESSAGES: Final = Table(
    "messages",
    "texts to users who are not there are refused, and what was delivered may be delivered again",
    _TYPES,
    "raw",
    Kept,
    MessageStoreError,
    _kept_in,
    "those messages are lost; their senders can send them again",
)
SCHEMA: Final = MESSAGES.schema
_SLIPS: Final = (
    "SELECT key, user, sender, is_proved, sent_at, ends_at, length(raw) FROM messages WHERE raw != '' "
    "ORDER BY number"
)


class MessageStore(RecordStore[Kept]):
    """The owner's end. What is removed leaves its key for a while: a router may ask for it once more."""

    table = MESSAGES

    @contextmanager
    def batch(self) -> Iterator[None]:
        """What is added within is durable behind it. NotWritten: nothing of it has happened."""
        with self._change():
            yield

    def add(self, kept: Kept) -> None:
        """Keep a text; within a batch."""
        self._write(kept)

    def remove(self, keys: Iterable[str], at: float) -> None:
        """Forget these but for their keys, durable when this returns. NotWritten."""
        with self._change():
            changes = [(at, key) for key in keys]
            self._database.executemany("UPDATE messages SET raw = '', changed_at = ? WHERE key = ?", changes)

    def purge(self, before_at: float) -> None:
        """Forget the keys of what was removed before that. NotWritten."""
        with self._change():
            self._database.execute("DELETE FROM messages WHERE raw = '' AND changed_at < ?", (before_at,))

    def removed(self) -> list[str]:
        """The keys of what was removed, the oldest first."""
        rows = self._database.execute("SELECT key FROM messages WHERE raw = '' ORDER BY changed_at")
        return [key for (key,) in rows]

    def slips(self) -> list[Slip]:
        """What is to be in memory of all, in order."""
        return [
            Slip(key, user, sent_at, ends_at, octets, sender if is_proved else "")
            for key, user, sender, is_proved, sent_at, ends_at, octets in self._database.execute(_SLIPS)
        ]
