"""The journal's memory on disk: open calls, calls recorded, events taken, and how far cdr.jsonl has come.

SQLite in WAL mode with synchronous=FULL: what was committed survives a crash of process or machine.
"""

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from switchboard.journal.call import Call, Key
from switchboard.journal.deliveries import Router
from switchboard.journal.fold import Changes
from switchboard.journal.writer import Mark
from switchboard.storage.unusable import UnusableFile

SCHEMA_VERSION = 1
BUSY_S = 5.0
"""How long to wait for a journal that is about to end."""
_MAX_WAL_BYTES = 16_000_000

_PRAGMAS = f"""
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA journal_size_limit = {_MAX_WAL_BYTES};
"""
_SCHEMA = f"""
BEGIN;
CREATE TABLE open_call (call_id TEXT, from_tag TEXT, state TEXT NOT NULL, UNIQUE (call_id, from_tag));
CREATE TABLE recorded (call_id TEXT, from_tag TEXT, ended_at REAL NOT NULL, UNIQUE (call_id, from_tag));
CREATE TABLE router (instance INT, incarnation TEXT, number INT NOT NULL, UNIQUE (instance, incarnation));
CREATE TABLE mark (id INTEGER PRIMARY KEY CHECK (id = 1), inode INT NOT NULL, place INT NOT NULL);
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
_OPEN = """
INSERT INTO open_call VALUES (?, ?, ?) ON CONFLICT (call_id, from_tag) DO UPDATE SET state = excluded.state
"""
_ADVANCE = """
INSERT INTO router VALUES (?, ?, ?) ON CONFLICT (instance, incarnation) DO UPDATE SET number = excluded.number
"""
_CALL = TypeAdapter(Call)


class StateError(UnusableFile):
    """The database cannot be used; the text says why and what to do, for people."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What the journal knew when it ended; everything oldest first."""

    calls: list[Call]
    recorded: dict[Key, float]
    numbers: dict[Router, int]
    mark: Mark


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

    def load(self) -> Saved:
        """Read everything."""
        rows = self._db.execute
        calls = rows("SELECT state FROM open_call ORDER BY rowid")
        recorded = rows("SELECT call_id, from_tag, ended_at FROM recorded ORDER BY rowid")
        numbers = rows("SELECT instance, incarnation, number FROM router ORDER BY rowid")
        return Saved(
            calls=[_CALL.validate_json(state) for (state,) in calls],
            recorded={(call_id, from_tag): ended_at for call_id, from_tag, ended_at in recorded},
            numbers={Router(instance, incarnation): number for instance, incarnation, number in numbers},
            mark=Mark(*(rows("SELECT inode, place FROM mark").fetchone() or (0, 0))),
        )

    def commit(self, changes: Changes, numbers: dict[Router, int], retired: set[Router], mark: Mark) -> None:
        """Make all of this durable, or, if it raises, nothing."""
        with self._db:
            self._db.execute("BEGIN")
            self._follow_calls(changes)
            self._follow_routers(numbers, retired)
            self._db.execute("INSERT OR REPLACE INTO mark VALUES (1, ?, ?)", mark)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _follow_calls(self, changes: Changes) -> None:
        many = self._many
        opened = [(*call.key, _CALL.dump_json(call).decode()) for call in changes.opened]
        recorded = [(*key, ended_at) for key, ended_at in changes.recorded.items()]
        many("DELETE FROM open_call WHERE call_id = ? AND from_tag = ?", changes.closed)
        many(_OPEN, opened)
        many("DELETE FROM recorded WHERE call_id = ? AND from_tag = ?", changes.forgotten)
        many("INSERT OR REPLACE INTO recorded VALUES (?, ?, ?)", recorded)

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
