"""How our SQLite files are opened: by one writer, and by readers that do not disturb it.

A `Schema` says what a file holds: it is made where there is none yet, and refused, in words for people, where
another program has written it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from switchboard.busy import still_busy
from switchboard.storage.unusable import UnusableFile

BUSY_S = 5.0
"""How long who meets somebody else's lock waits for it."""
STEPS = 1000
"""Of SQLite's machine, microseconds in all, from one word about long work to the next."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What one kind of file holds. `what`: its name for people; `script` makes it, as one transaction.

    `remedy`: what to do with a file of another version. `error`: what is raised over a file that cannot be used.
    `synchronous`: FULL makes a commit durable, NORMAL keeps the file whole.
    """

    what: str
    version: int
    script: str
    remedy: str
    error: type[UnusableFile]
    synchronous: str = "FULL"

    def open(self, path: Path | str) -> sqlite3.Connection:
        """Open `path` to write, or make it; transactions begin when we say so. ":memory:" is for tests."""
        with self.explained(path):
            database = connect(path)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(f"PRAGMA synchronous = {self.synchronous}")
            if schema_version(database) == 0:
                database.executescript(
                    f"BEGIN IMMEDIATE; {self.script} PRAGMA user_version = {self.version}; COMMIT;"
                )
            self._check(path, database)
        return database

    def open_to_read(self, path: Path) -> sqlite3.Connection | None:
        """Open `path` without disturbing its writer; None if there is no file yet, or nothing in it."""
        if not path.exists():
            return None
        with self.explained(path):
            database = connect_to_read(path)
            if schema_version(database) == 0:
                database.close()
                return None
            self._check(path, database)
        return database

    @contextmanager
    def explained(self, path: Path | str) -> Iterator[None]:
        """What SQLite or the system refuses is raised as our error, in words for people."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self.error(f"{self.what} {path} cannot be used: {error}.") from error

    def _check(self, path: Path | str, database: sqlite3.Connection) -> None:
        version = schema_version(database)
        if version != self.version:
            database.close()
            raise self.error(
                f"{self.what} {path} has schema {version}, this program knows {self.version}: {self.remedy}"
            )


def connect(path: Path | str) -> sqlite3.Connection:
    """Open `path` to write; transactions begin when we say so. sqlite3.Error."""
    return _telling(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None))


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a file that is there, without a way to change it. sqlite3.Error."""
    name = f"{path.absolute().as_uri()}?mode=ro"
    return _telling(sqlite3.connect(name, timeout=BUSY_S, isolation_level=None, uri=True))


def _telling(database: sqlite3.Connection) -> sqlite3.Connection:
    """Reading or checking all of a large file takes long: that is told."""
    database.set_progress_handler(still_busy, STEPS)
    return database


def schema_version(database: sqlite3.Connection) -> int:
    """What the writer of the file has set; 0 for a file with nothing in it."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return int(version)


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All of it, or, if it raises, nothing."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        database.rollback()
        raise
