"""How our SQLite files are opened: by one writer, and by readers that do not disturb it.

A `Schema` says what a file holds: it is made where there is none yet, and refused, in words for people, where
another program has written it.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from switchboard.busy import still_busy
from switchboard.storage.image import read_image, wal_of
from switchboard.storage.mending import Plan, Report, damage_of, is_damage, mend, save_into
from switchboard.storage.unusable import UnusableFile
from switchboard.storage.writing import error_number

BUSY_S = 5.0
"""How long a writer who meets somebody else's lock waits for it."""
BUSY_READER_S = 1.0
STEPS = 1000
"""Of SQLite's machine, microseconds in all, from one word about long work to the next."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What one kind of file holds. `what`: its name for people; the plan's script makes it, as one transaction.

    `remedy`: what to do with a file of another version. `error`: what is raised over a file that cannot be used.
    `plan`: how it is made, and mended if it is damaged. `check`: which pragma finds that out.
    `synchronous`: FULL makes a commit durable, NORMAL keeps the file whole.
    """

    what: str
    version: int
    remedy: str
    error: type[UnusableFile]
    plan: Plan
    synchronous: str = "FULL"
    check: str = "quick_check"

    def open(self, path: Path | str) -> sqlite3.Connection:
        """Open `path` to write, or make it; transactions begin when we say so. ":memory:" is for tests."""
        with self.explained(path):
            database = connect(path)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(f"PRAGMA synchronous = {self.synchronous}")
            if schema_version(database) == 0:
                database.executescript(
                    f"BEGIN IMMEDIATE; {self.plan.script} PRAGMA user_version = {self.version}; COMMIT;"
                )
            self._check(path, database)
        return database

    def examine(self, path: Path) -> Report | None:
        """To be called by the owner before it opens the file: mend it if it is damaged. Of another version it stays."""
        with self.explained(path):
            found = self._damage(path) if path.exists() else ""
            return self.mend(path, found) if found else None

    def mend(self, path: Path, found: str) -> Report:
        """Make the file anew of what can be read of it, since `found` is wrong with it."""
        with self.explained(path):
            return mend(path, found, self.version, self.plan)

    def _damage(self, path: Path) -> str:
        if not path.stat().st_size:
            log = wal_of(path)
            return "it was emptied" if log.exists() and log.stat().st_size else ""
        try:
            with closing(connect_to_read(path)) as database:
                return (
                    damage_of(database, path, self.check)
                    if schema_version(database) in (0, self.version)
                    else ""
                )
        except sqlite3.DatabaseError as error:
            return str(error) if is_damage(error) else ""

    def open_copy(self, path: Path) -> sqlite3.Connection:
        """What `path` holds, in memory, while SQLite cannot open it: to be read only. Nothing, if it is not there.

        What can be read of it, if it is damaged.
        """
        with self.explained(path):
            database = connect(":memory:")
            if path.parent.is_dir() and not path.exists():
                database.executescript(f"{self.plan.script} PRAGMA user_version = {self.version};")
                return database
            database.deserialize(read_image(path).without_log())
            if self._is_damaged(database):
                database.close()
                database = connect(":memory:")
                save_into(database, path, self.version, self.plan)
            self._check(path, database)
        return database

    def _is_damaged(self, copy: sqlite3.Connection) -> bool:
        try:
            (line,) = copy.execute(f"PRAGMA {self.check}(1)").fetchone()
            return line != "ok" and schema_version(copy) in (0, self.version)
        except sqlite3.DatabaseError as error:
            return is_damage(error)

    def open_to_read(self, path: Path) -> sqlite3.Connection | None:
        """Open `path` without disturbing its writer; None if there is no file yet, or nothing in it."""
        if not path.exists():
            return None
        with self.explained(path):
            try:
                database = connect_to_read(path)
                version = schema_version(database)
            except sqlite3.OperationalError:  # a log needs an index, for which there is no room, or no right
                database = self.open_copy(path)
                version = schema_version(database)
            if version == 0:
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

    @staticmethod
    def is_for_now(error: UnusableFile) -> bool:
        """Whether the disk, or a lock, is in the way, and not what the file holds."""
        return bool(error.__cause__ and error_number(error.__cause__))

    def _check(self, path: Path | str, database: sqlite3.Connection) -> None:
        version = schema_version(database)
        if version != self.version:
            database.close()
            error = self.error(
                f"{self.what} {path} has schema {version}, this program knows {self.version}: {self.remedy}"
            )
            error.is_of_another_version = True
            raise error


def connect(path: Path | str) -> sqlite3.Connection:
    """Open `path` to write; transactions begin when we say so. sqlite3.Error."""
    return _telling(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None))


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a file that is there, without a way to change it. sqlite3.Error."""
    name = f"{path.absolute().as_uri()}?mode=ro"
    return _telling(sqlite3.connect(name, timeout=BUSY_READER_S, isolation_level=None, uri=True))


def _telling(database: sqlite3.Connection) -> sqlite3.Connection:
    """Reading or checking a large file takes long, and is reported as progress."""
    database.set_progress_handler(still_busy, STEPS)
    return database


def file_at(path: Path | str) -> tuple[int, int]:
    """The identity of the file that `path` names now; (0, 0) if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


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
