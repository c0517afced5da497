"""The history on disk (SQLite): messages by Call-ID; the oldest are dropped as limits are reached.

One row for each Call-ID has a summary. Its messages are in parcels, one for each commit with any. The history may
lose its last seconds at a power failure: commits are not synced to the disk, but the file stays consistent.
"""

import errno
import os
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any

from switchboard import codec
from switchboard.history.masking import mask
from switchboard.history.seen import Seen, readable
from switchboard.history.space import Messages, NoRoom, Space
from switchboard.history.summary import Summary, SummaryKind, user_of
from switchboard.storage.database import Schema, transaction
from switchboard.storage.mending import Plan
from switchboard.storage.rescue import Row
from switchboard.storage.restoring import take_restored
from switchboard.storage.unusable import UnusableFile
from switchboard.storage.writing import Writing, error_number

SCHEMA_VERSION = 1
MESSAGES_A_CALL = 1_000
"""Of one Call-ID; a phone that goes on and on must not push all others out."""
FORGOTTEN_AT_ONCE = 64
"""Call-IDs that one commit drops."""
REMEMBERED = 20_000
"""Summaries kept in memory: of Call-IDs that are likely to go on."""
_COLUMNS = tuple(field.name for field in fields(Summary))
_raw_values = attrgetter(*_COLUMNS)
_TABLES = f"""
CREATE TABLE calls (
    id INTEGER PRIMARY KEY, caller_user TEXT NOT NULL, callee_user TEXT NOT NULL, outcome TEXT NOT NULL,
    call_id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, caller TEXT NOT NULL, callee TEXT NOT NULL,
    {", ".join(f"{name} NOT NULL" for name in _COLUMNS[4:])}
);
CREATE INDEX calls_by_last ON calls (last_ns);
CREATE TABLE parcels (id INTEGER PRIMARY KEY, call INTEGER NOT NULL, messages INTEGER NOT NULL, packed BLOB);
CREATE INDEX parcels_by_call ON parcels (call);
"""
_KEYS = ("caller_user", "callee_user", "outcome", *_COLUMNS)
_PUT = (
    f"INSERT INTO calls ({', '.join(_KEYS)}) VALUES ({', '.join('?' * len(_KEYS))}) "
    f"ON CONFLICT (call_id) DO UPDATE SET {', '.join(f'{key} = excluded.{key}' for key in _KEYS)} "
    "RETURNING id"
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM calls"
_PUT_CALL = f"INSERT OR IGNORE INTO calls VALUES ({', '.join('?' * (1 + len(_KEYS)))})"
_PUT_PARCEL = "INSERT OR IGNORE INTO parcels VALUES (?, ?, ?, ?)"


def _call_in(row: Row) -> Sequence[Any] | None:
    """A row of `calls`."""
    number, values = row
    if number is None or len(values) != 1 + len(_KEYS) or not isinstance(values[4], str):
        return None
    return [number, *values[1:]]


def _parcel_in(row: Row) -> Sequence[Any] | None:
    """A row of `parcels`."""
    match row:
        case int(number), [None, int(call), int(messages), bytes(packed)]:
            return number, call, messages, packed
    return None


class HistoryError(UnusableFile):
    """The history's file cannot be used; the text tells people why and what to do."""


SCHEMA = Schema(
    "The history",
    SCHEMA_VERSION,
    "use the program that wrote it, or delete the file.",
    HistoryError,
    Plan(
        _TABLES,
        {_PUT_CALL: _call_in, _PUT_PARCEL: _parcel_in},
        "the messages of past calls are lost for good",
    ),
    synchronous="NORMAL",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept at most: Call-IDs, seconds since their last message, bytes of the file and its log together."""

    calls: int
    age_s: float
    bytes: int


class HistoryStore:
    """The only writer. HistoryError if the file is another program's; while the disk does not let it, it goes without:
    `writing` tells. sqlite3.Error of a file that is damaged.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self._space = Space(path, limits.bytes)
        self._summaries: OrderedDict[str, Summary] = OrderedDict()
        self.writing = Writing(str(path), "messages are not kept, and old ones make room")
        self.cut = 0
        """Messages left out since their Call-ID had too many."""
        self.forgotten = 0
        """Call-IDs dropped to keep the limits."""
        self.unwritten = 0
        """Messages that could not be kept."""
        self._database: sqlite3.Connection | None = None
        with SCHEMA.explained(path):
            take_restored(path)
        if path.exists():
            SCHEMA.examine(path)
        self._try(self._open)

    def add(self, messages: Messages) -> int:
        """Keep messages, in order of time, by Call-ID; return how many. Secrets are masked."""
        before = self.unwritten
        for portion in self._space.portions(messages):
            if not self._try(lambda portion=portion: self._keep(portion)):  # type: ignore[misc]
                self.unwritten += sum(map(len, portion.values()))
        return sum(map(len, messages.values())) - (self.unwritten - before)

    def trim(self, now_ns: int) -> None:
        """Drop what is beyond the limits, and what others need the room of, the longest silent first."""
        self._try(lambda: self._trim(now_ns - int(self._limits.age_s * 1e9)))

    def close(self) -> None:
        """Let go of the file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _try(self, write: Callable[[], object]) -> bool:
        """Whether that could be done. A disk that is full, though the oldest has gone, gets all of it."""
        try:
            write()
        except (HistoryError, sqlite3.Error, OSError) as error:
            number = error_number(error.__cause__ or error if isinstance(error, HistoryError) else error)
            if not number:
                raise
            self.writing.failed(number)
            if not isinstance(error, NoRoom):
                self._begin_anew(number)
            return False
        self.writing.worked()
        return True

    def _begin_anew(self, number: int) -> None:
        self._summaries.clear()
        self.close()
        if number in (errno.ENOSPC, errno.EDQUOT):
            self._space.remove()

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            if self._space.lacking() and not self._path.exists():
                raise NoRoom(errno.ENOSPC, os.strerror(errno.ENOSPC))
            with SCHEMA.explained(self._path):
                self._path.touch(mode=0o600)
            database = SCHEMA.open(self._path)
            try:
                self._space.prepare(database)
            except sqlite3.Error:
                database.close()
                raise
            self._database = database
        return self._database

    def _keep(self, messages: Messages) -> None:
        database = self._open()
        self._make_room(database)
        with transaction(database):
            for call_id, seen in messages.items():
                self._add(database, call_id, seen)
        self._space.settle(database)

    def _trim(self, oldest_ns: int) -> None:
        database = self._open()
        doomed = self._silent_since(database, oldest_ns) + self._too_many(database)
        for first in range(0, len(doomed), FORGOTTEN_AT_ONCE):
            self._forget(database, doomed[first : first + FORGOTTEN_AT_ONCE])
        self._make_room(database)

    def _make_room(self, database: sqlite3.Connection) -> None:
        """Forget the oldest while it is too much. NoRoom: so little is free that nothing may be added."""
        self._space.check_log(database)
        while (excess := self._space.excess(database)) and (oldest := self._oldest(database, excess)):
            self._forget(database, oldest)
            self._space.check_log(database)
        if self._space.lacking():
            self._space.settle(database)
            raise NoRoom(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _forget(self, database: sqlite3.Connection, calls: Sequence[tuple[int, str]]) -> None:
        with transaction(database):
            for number, call_id in calls:
                database.execute("DELETE FROM parcels WHERE call = ?", (number,))
                database.execute("DELETE FROM calls WHERE id = ?", (number,))
                self._summaries.pop(call_id, None)
        self.forgotten += len(calls)
        self._space.settle(database)

    def _add(self, database: sqlite3.Connection, call_id: str, seen: Sequence[Seen]) -> None:
        summary = self._recall(database, call_id)
        room = MESSAGES_A_CALL - summary.messages
        self.cut += max(0, len(seen) - max(0, room))
        kept = [each._replace(raw=mask(each.raw)) for each in seen[: max(0, room)]]
        for each in kept:
            summary.note(each)
        if not kept:
            return
        users = (user_of(summary.caller), user_of(summary.callee), summary.outcome)
        values = [_storable(each) for each in (*users, *_raw_values(summary))]
        (number,) = database.execute(_PUT, values).fetchone()
        packed = codec.pack([each.to_row() for each in kept])
        database.execute(
            "INSERT INTO parcels (call, messages, packed) VALUES (?, ?, ?)", (number, len(kept), packed)
        )

    def _recall(self, database: sqlite3.Connection, call_id: str) -> Summary:
        summary = self._summaries.pop(call_id, None)
        if summary is None:
            found = read_summaries(database, "WHERE call_id = ?", (call_id,))
            summary = found[0] if found else Summary(call_id)
        self._summaries[call_id] = summary
        if len(self._summaries) > REMEMBERED:
            self._summaries.popitem(last=False)
        return summary

    def _silent_since(self, database: sqlite3.Connection, oldest_ns: int) -> list[Any]:
        query = "SELECT id, call_id FROM calls WHERE last_ns < ?"
        return database.execute(query, (oldest_ns,)).fetchall()

    def _too_many(self, database: sqlite3.Connection) -> list[Any]:
        (count,) = database.execute("SELECT count(*) FROM calls").fetchone()
        excess = max(0, count - self._limits.calls)
        query = "SELECT id, call_id FROM calls ORDER BY last_ns LIMIT ?"
        return database.execute(query, (excess,)).fetchall()

    def _oldest(self, database: sqlite3.Connection, octets: int) -> list[tuple[int, str]]:
        """The calls that were silent for longest, with so many octets or a few more; not too many at once."""
        query = "SELECT id, call_id, bytes FROM calls ORDER BY last_ns LIMIT ?"
        found: list[tuple[int, str]] = []
        for number, call_id, size in database.execute(query, (FORGOTTEN_AT_ONCE,)).fetchall():
            if octets <= 0:
                break
            found.append((number, call_id))
            octets -= size
        return found


def read_summaries(database: sqlite3.Connection, rest: str, values: Iterable[object]) -> list[Summary]:
    """The summaries that a query finds; `rest` is what follows FROM calls."""
    rows = database.execute(f"{_SELECT} {rest}", [_storable(each) for each in values])
    return [_to_summary(row) for row in rows]


def _storable(value: object) -> Any:
    return readable(value) if isinstance(value, str) else value


def _to_summary(row: Sequence[Any]) -> Summary:
    summary = Summary(*row)
    summary.kind = SummaryKind(summary.kind)
    summary.cancelled = bool(summary.cancelled)
    return summary
