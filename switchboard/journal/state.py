"""The journal's state on disk: open calls, recorded calls, the events taken, and the length of cdr.jsonl.

SQLite in WAL mode with synchronous=FULL: committed data survives a crash of the process or the machine.
"""

import os
import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from switchboard import codec
from switchboard.journal.call import Call, Key
from switchboard.journal.changes import MAX_RECORDED, Batch, Changes
from switchboard.journal.deliveries import Router
from switchboard.journal.file import Mark
from switchboard.storage.database import Schema, transaction
from switchboard.storage.mending import Plan
from switchboard.storage.rescue import Row as FoundRow
from switchboard.storage.restoring import take_restored
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
_TABLES = """
CREATE TABLE calls (row INTEGER PRIMARY KEY, entries BLOB NOT NULL);
CREATE TABLE ended (row INTEGER PRIMARY KEY, entries BLOB NOT NULL);
CREATE TABLE head (
    id INTEGER PRIMARY KEY CHECK (id = 1), numbers BLOB NOT NULL, inode INT NOT NULL, place INT NOT NULL
);
"""


class StateError(UnusableFile):
    """The database cannot be used; the text says why and what to do, for people."""


def _entries_in(row: FoundRow, are_ended: bool) -> Sequence[Any] | None:
    """A row of one of the logs: what it holds tells which."""
    match row:
        case int(number), [None, bytes(packed)]:
            with suppress(codec.CodecError, UnicodeDecodeError):
                entries = codec.unpack(packed)
                if isinstance(entries, list) and all(_is_end(each) is are_ended for each in entries):
                    return number, packed
    return None


def _is_end(entry: object) -> bool | None:
    """Whether it tells of a recorded call, or of an open one; None: of neither."""
    match entry:
        case [str(), str(), float() | int() | None]:
            return True
        case int() | [int(), *_]:
            return False
    return None


def _head_in(row: FoundRow) -> Sequence[Any] | None:
    match row:
        case 1, [None, bytes(numbers), int(inode), int(place)]:
            return 1, numbers, inode, place
    return None


SCHEMA = Schema(
    "The journal's memory",
    SCHEMA_VERSION,
    "run the switchboard that wrote it, or move the file away: calls in progress are forgotten, records stay.",
    StateError,
    Plan(
        _TABLES,
        {
            "INSERT OR REPLACE INTO calls VALUES (?, ?)": partial(_entries_in, are_ended=False),
            "INSERT OR REPLACE INTO ended VALUES (?, ?)": partial(_entries_in, are_ended=True),
            "INSERT OR REPLACE INTO head VALUES (?, ?, ?, ?)": _head_in,
        },
        "records of calls that were in progress then may lack something",
    ),
)


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
        """The last of the rows that may go, so that `keep` entries or more are left; 0: none may, or it is too early.

        Not all go at once: of calls that are still open, the entries have to be written again.
        """
        if self._total < keep + SLACK:
            return 0
        left, worn = self._total, 0
        at_least = max(keep, left - max(2 * SLACK, 2 * self._counts[-1][1]))
        for row, count in self._counts:
            left -= count
            if left < at_least:
                break
            worn = row
        return worn

    def write(self, row: int, batch: Batch, worn: int) -> None:
        """Add a row, and remove those up to `worn`, in a transaction of the caller's; then it is `written`."""
        if worn:
            self._db.execute(f"DELETE FROM {self._table} WHERE row <= ?", (worn,))
        if batch.entries:
            packed = codec.list_head(batch.entries) + batch.data
            self._db.execute(f"INSERT INTO {self._table} VALUES (?, ?)", (row, packed))

    def written(self, row: int, batch: Batch, worn: int) -> None:
        """The transaction was committed."""
        while self._counts and self._counts[0][0] <= worn:
            self._total -= self._counts.popleft()[1]
        if batch.entries:
            self._count(row, batch.entries)

    def _count(self, row: int, entries: int) -> None:
        self._counts.append((row, entries))
        self._total += entries


_IN_MEMORY = Path(":memory:")


class StateStore:
    """Owns journal.db, alone: a second journal on the same file gets StateError after BUSY_S.

    `:memory:` is for tests.
    """

    def __init__(self, path: Path, busy_s: float = BUSY_S) -> None:
        with SCHEMA.explained(path):
            take_restored(path)
        SCHEMA.examine(path)
        try:
            if path != _IN_MEMORY:  # SQLite does not say why not
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644))
            self._db = sqlite3.connect(path, timeout=busy_s, isolation_level=None)
        except (sqlite3.Error, OSError) as error:
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

    def image(self) -> bytes:
        """The whole file, as it is after the last commit, without a log."""
        image = bytearray(self._db.serialize())
        image[18:20] = b"\1\1"
        return bytes(image)

    def load(self) -> Saved:
        """Read everything. To be called before the first commit."""
        head = self._db.execute("SELECT numbers, inode, place FROM head").fetchone()
        numbers, *mark = head or (codec.pack([]), 0, 0)
        return Saved(
            calls=self._load_calls(),
            recorded=self._load_ended(),
            numbers={Router(*router): number for *router, number in codec.unpack(numbers)},
            mark=Mark(*mark),
        )

    def next_row(self, open_calls: int) -> Row:
        """Where the next changes go. The log of calls has two to four times what is open."""
        last = max(self._calls.last_row, self._ended.last_row)
        return Row(last + 1, self._calls.worn(2 * open_calls + SLACK))

    def commit(self, row: Row, changes: Changes, numbers: dict[Router, int], mark: Mark) -> None:
        """Make all of this durable, or, if it raises sqlite3.Error, nothing."""
        ended_worn = self._ended.worn(MAX_RECORDED)
        packed = codec.pack([[*router, number] for router, number in numbers.items()])
        with transaction(self._db):
            self._calls.write(row.number, changes.calls, row.worn)
            self._ended.write(row.number, changes.ended, ended_worn)
            self._db.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?, ?)", (packed, *mark))
        self._calls.written(row.number, changes.calls, row.worn)
        self._ended.written(row.number, changes.ended, ended_worn)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _load_calls(self) -> list[tuple[int, Call]]:
        """In the order in which they were last written."""
        saved: dict[int, tuple[int, list[Any]]] = {}
        for row, entry in self._calls.load():
            if isinstance(entry, int):
                saved.pop(entry, None)
            else:
                saved.pop(entry[0], None)
                saved[entry[0]] = row, entry
        return [(row, Call.restore(entry)) for row, entry in saved.values()]

    def _load_ended(self) -> dict[Key, float]:
        ended: dict[Key, float] = {}
        for _, (call_id, from_tag, ended_at) in self._ended.load():
            ended.pop((call_id, from_tag), None)
            if ended_at is not None:
                ended[call_id, from_tag] = ended_at
        return ended

    def _prepare(self, path: Path) -> None:
        self._db.executescript(_PRAGMAS)
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
            self._db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            raise StateError(
                f"{path} has schema version {version}, this switchboard needs {SCHEMA_VERSION}. Run the one "
                "that wrote it, or move the file away: calls in progress are then forgotten, records stay."
            )


def _explain(path: Path, error: sqlite3.Error | OSError) -> StateError:
    if "locked" in str(error):
        return StateError(
            f"{path} is used by another journal: each switchboard needs its own data directory."
        )
    return StateError(
        f"{path}: {error}. It must be a journal's database in a writable directory, or not exist."
    )
