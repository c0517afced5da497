"""The history on disk (SQLite): messages by Call-ID, the oldest dropped as limits are reached.

One row a Call-ID tells what it was about; its messages stand in parcels, one for each commit with any. The
history may lose its last seconds with the power: it is not synced at each commit, only kept whole.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any

from switchboard import codec
from switchboard.history.seen import Seen, mask, readable
from switchboard.history.summary import Summary, SummaryKind, user_of
from switchboard.storage.database import Schema, transaction
from switchboard.storage.mending import Plan
from switchboard.storage.rescue import Row
from switchboard.storage.restoring import take_restored
from switchboard.storage.unusable import UnusableFile

SCHEMA_VERSION = 1
MESSAGES_A_CALL = 1_000
"""Of one Call-ID; a phone that goes on and on must not push all others out."""
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
    """What is kept at most: Call-IDs, seconds since their last message, bytes of messages."""

    calls: int
    age_s: float
    bytes: int


class HistoryStore:
    """The only writer. HistoryError if the file cannot be used. Every method raises sqlite3.Error."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._limits = limits
        self._summaries: OrderedDict[str, Summary] = OrderedDict()
        self.cut = 0
        """Messages left out since their Call-ID had too many."""
        self.forgotten = 0
        """Call-IDs dropped to keep the limits."""
        with SCHEMA.explained(path):
            take_restored(path)
            path.touch(mode=0o600)
        SCHEMA.examine(path)
        self._database = SCHEMA.open(path)

    def add(self, messages: Mapping[str, Sequence[Seen]]) -> None:
        """Keep messages, in order of time, by Call-ID; all in one commit. Secrets are masked."""
        try:
            with transaction(self._database):
                for call_id, seen in messages.items():
                    self._add(call_id, seen)
        except BaseException:
            self._summaries.clear()
            raise

    def trim(self, now_ns: int) -> None:
        """Drop what is beyond the limits, the longest silent first."""
        oldest_ns = now_ns - int(self._limits.age_s * 1e9)
        doomed = self._silent_since(oldest_ns) + self._too_many() + self._too_large()
        if not doomed:
            return
        with transaction(self._database):
            for number, call_id in doomed:
                self._database.execute("DELETE FROM parcels WHERE call = ?", (number,))
                self._database.execute("DELETE FROM calls WHERE id = ?", (number,))
                self._summaries.pop(call_id, None)
        self.forgotten += len(doomed)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _add(self, call_id: str, seen: Sequence[Seen]) -> None:
        summary = self._recall(call_id)
        room = MESSAGES_A_CALL - summary.messages
        self.cut += max(0, len(seen) - max(0, room))
        kept = [each._replace(raw=mask(each.raw)) for each in seen[: max(0, room)]]
        for each in kept:
            summary.note(each)
        if not kept:
            return
        users = (user_of(summary.caller), user_of(summary.callee), summary.outcome)
        values = [_storable(each) for each in (*users, *_raw_values(summary))]
        (number,) = self._database.execute(_PUT, values).fetchone()
        packed = codec.pack([each.to_row() for each in kept])
        self._database.execute(
            "INSERT INTO parcels (call, messages, packed) VALUES (?, ?, ?)", (number, len(kept), packed)
        )

    def _recall(self, call_id: str) -> Summary:
        summary = self._summaries.pop(call_id, None)
        if summary is None:
            found = read_summaries(self._database, "WHERE call_id = ?", (call_id,))
            summary = found[0] if found else Summary(call_id)
        self._summaries[call_id] = summary
        if len(self._summaries) > REMEMBERED:
            self._summaries.popitem(last=False)
        return summary

    def _silent_since(self, oldest_ns: int) -> list[Any]:
        query = "SELECT id, call_id FROM calls WHERE last_ns < ?"
        return self._database.execute(query, (oldest_ns,)).fetchall()

    def _too_many(self) -> list[Any]:
        (count,) = self._database.execute("SELECT count(*) FROM calls").fetchone()
        excess = max(0, count - self._limits.calls)
        query = "SELECT id, call_id FROM calls ORDER BY last_ns LIMIT ?"
        return self._database.execute(query, (excess,)).fetchall()

    def _too_large(self) -> list[Any]:
        (total,) = self._database.execute("SELECT coalesce(sum(bytes), 0) FROM calls").fetchone()
        doomed = []
        for number, call_id, size in self._database.execute(
            "SELECT id, call_id, bytes FROM calls ORDER BY last_ns"
        ):
            if total <= self._limits.bytes:
                break
            doomed.append((number, call_id))
            total -= size
        return doomed


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
