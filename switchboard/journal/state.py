"""The journal's memory on disk: open calls, calls recorded, events taken, and how far cdr.jsonl has come.

SQLite in WAL mode with synchronous=FULL: what was committed survives a crash of process or machine.
"""

import sqlite3
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from switchboard import codec
from switchboard.journal.call import Call, Key
from switchboard.journal.changes import MAX_RECORDED, Batch, Changes
from switchboard.journal.deliveries import Router
from switchboard.journal.file import Mark
from switchboard.storage.unusable import UnusableFile

SCHEMA_VERSION = 2
BUSY_S = 5.0
"""How long to wait for a journal that is about to end."""
SLACK = 1000
"""Entries of a log that are not worth the trouble."""
_MAX_WAL_BYTES = 16_000_000

_PRAGMAS = f"""
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA journal_size_limit = {_MAX_WAL_BYTES};
"""
_SCHEMA = f"""
BEGIN;
CREATE TABLE calls (row INTEGER PRIMARY KEY, entries BLOB NOT NULL);
CREATE TABLE ended (row INTEGER PRIMARY KEY, entries BLOB NOT NULL);
CREATE TABLE router (instance INT, incarnation TEXT, number INT NOT NULL, UNIQUE (instance, incarnation));
CREATE TABLE mark (id INTEGER PRIMARY KEY CHECK (id = 1), inode INT NOT NULL, place INT NOT NULL);
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
_ADVANCE = """
INSERT INTO router VALUES (?, ?, ?) ON CONFLICT (instance, incarnation) DO UPDATE SET number = excluded.number
"""


class StateError(UnusableFile):
    """The database cannot be used; the text says why and what to do, for people."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What the journal knew when it ended; everything oldest first."""

    calls: list[tuple[int, Call]]
    """Open calls, and the row that each was last written in."""
    recorded: dict[Key, float]
    numbers: dict[Router, int]
    mark: Mark


class Row(NamedTuple):
    """The next row of the logs; calls whose last entry is in a row up to `worn` are to be written in it again."""

    number: int
    worn: int


class _Log:
    """A table of batches: each commit that has entries adds a row, and the oldest rows go.

    Entries of later rows make earlier ones obsolete. That is cheaper than a row an entry: a call is written
    behind the last one, and nothing of it has to be found again.
    """

    def __init__(self, db: sqlite3.Connection, table: str) -> None:
        self._db, self._table = db, table
        self._counts: deque[tuple[int, int]] = deque()
        self._total = 0

    @property
    def last_row(self) -> int:
        """Its number; 0 if there is none."""
        return self._counts[-1][0] if self._counts else 0

    def load(self) -> Iterator[tuple[int, Any]]:
        """Yield each entry with its row, oldest first."""
        self._counts.clear()
        self._total = 0
        for row, packed in self._db.execute(f"SELECT row, entries FROM {self._table} ORDER BY row"):
            entries = codec.unpack(packed)
            self._count(row, len(entries))
            yield from ((row, entry) for entry in entries)

    def worn(self, keep: int) -> int:
        """The last of the rows that may go, so that `keep` entries or more are left; 0: none may.

        It is one after the other, not many at once: twice as many entries as were last written.
        """
        left, worn = self._total, 0
        at_least = max(keep, left - max(SLACK, 2 * self._counts[-1][1])) if self._counts else keep
        for row, count in self._counts:
            left -= count
            if left < at_least:
                break
            worn = row
        return worn

    def write(self, row: int, batch: Batch, worn: int) -> None:
        """Add a row, and remove those up to `worn`."""
        if worn:
            self._db.execute(f"DELETE FROM {self._table} WHERE row <= ?", (worn,))
        while self._counts and self._counts[0][0] <= worn:
            self._total -= self._counts.popleft()[1]
        if batch.entries:
            packed = codec.list_head(batch.entries) + batch.data
            self._db.execute(f"INSERT INTO {self._table} VALUES (?, ?)", (row, packed))
            self._count(row, batch.entries)

    def _count(self, row: int, entries: int) -> None:
        self._counts.append((row, entries))
        self._total += entries


class StateStore:
    """Owns journal.db, alone: a second journal on the same file gets StateError after BUSY_S."""

    def __init__(self, path: Path, busy_s: float = BUSY_S) -> None:
        try:
            self._db = sqlite3.connect(path, timeout=busy_s, isolation_level=None)
        except sqlite3.Error as error:
            raise _explain(path, error) from error
        try:
            self._prepare(path)
        except sqlite3.Error as error:
            self._db.close()
            raise _explain(path, error) from error
        except StateError:
            self._db.close()
            raise
        self._calls, self._ended = _Log(self._db, "calls"), _Log(self._db, "ended")

    def load(self) -> Saved:
        """Read everything. To be called before the first commit."""
        rows = self._db.execute
        numbers = rows("SELECT instance, incarnation, number FROM router ORDER BY rowid")
        return Saved(
            calls=self._load_calls(),
            recorded=self._load_ended(),
            numbers={Router(instance, incarnation): number for instance, incarnation, number in numbers},
            mark=Mark(*(rows("SELECT inode, place FROM mark").fetchone() or (0, 0))),
        )

    def next_row(self, open_calls: int) -> Row:
        """Where the next changes go. The log of calls is kept below some three times what is open."""
        last = max(self._calls.last_row, self._ended.last_row)
        return Row(last + 1, self._calls.worn(2 * open_calls + SLACK))

    def commit(
        self, row: Row, changes: Changes, numbers: dict[Router, int], retired: set[Router], mark: Mark
    ) -> None:
        """Make all of this durable, or, if it raises, nothing; then it must be loaded again."""
        with self._db:
            self._db.execute("BEGIN")
            self._calls.write(row.number, changes.calls, row.worn)
            self._ended.write(row.number, changes.ended, self._ended.worn(MAX_RECORDED))
            self._follow_routers(numbers, retired)
            self._db.execute("INSERT OR REPLACE INTO mark VALUES (1, ?, ?)", mark)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _load_calls(self) -> list[tuple[int, Call]]:
        """In the order in which they were last written."""
        saved: dict[int, tuple[int, list[Any]]] = {}
        for row, entry in self._calls.load():
            serial = entry if isinstance(entry, int) else entry[0]
            saved.pop(serial, None)
            if entry is not serial:
                saved[serial] = row, entry
        return [(row, Call.restore(entry)) for row, entry in saved.values()]

    def _load_ended(self) -> dict[Key, float]:
        ended: dict[Key, float] = {}
        for _, (call_id, from_tag, ended_at) in self._ended.load():
            ended.pop((call_id, from_tag), None)
            if ended_at is not None:
                ended[call_id, from_tag] = ended_at
        return ended

    def _follow_routers(self, numbers: dict[Router, int], retired: set[Router]) -> None:
        many = self._many
        gone = [(router.instance, router.incarnation) for router in retired]
        advanced = [(router.instance, router.incarnation, number) for router, number in numbers.items()]
        many("DELETE FROM router WHERE instance = ? AND incarnation = ?", gone)
        many(_ADVANCE, advanced)

    def _many(self, statement: str, rows: Collection[tuple[object, ...]]) -> None:
        if rows:
            self._db.executemany(statement, rows)

    def _prepare(self, path: Path) -> None:
        self._db.executescript(_PRAGMAS)
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
            self._db.executescript(_SCHEMA)
        elif version != SCHEMA_VERSION:
            raise StateError(
                f"{path} has schema version {version}, this switchboard needs {SCHEMA_VERSION}. Run the one "
                "that wrote it, or move the file away: calls in progress are then forgotten, records stay."
            )


def _explain(path: Path, error: sqlite3.Error) -> StateError:
    if "locked" in str(error):
        return StateError(
            f"{path} is used by another journal: each switchboard needs its own data directory."
        )
    return StateError(
        f"{path}: {error}. It must be a journal's database in a writable directory, or not exist."
    )
