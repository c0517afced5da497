"""The users on disk (SQLite): HA1 for each algorithm, never a password; for nobody else's eyes."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from switchboard.auth.users import Entry, Page, Record
from switchboard.storage.database import Schema, transaction
from switchboard.storage.unusable import UnusableFile

SCHEMA_VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS store (series TEXT NOT NULL, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS users (
    number INTEGER NOT NULL, user TEXT PRIMARY KEY, realm TEXT NOT NULL,
    sha256 TEXT NOT NULL, md5 TEXT NOT NULL, changed_at REAL NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS users_by_number ON users (number);
INSERT INTO store SELECT lower(hex(randomblob(8))), 0 WHERE NOT EXISTS (SELECT 1 FROM store);
"""
_COLUMNS = "number, user, realm, sha256, md5, changed_at"
_SINCE = f"SELECT {_COLUMNS} FROM users WHERE number > ? ORDER BY number LIMIT ?"
_FIND = f"SELECT {_COLUMNS} FROM users WHERE user = ?"

_PUT = "INSERT OR REPLACE INTO users VALUES (?, ?, ?, ?, ?, ?)"


class UserStoreError(UnusableFile):
    """The store cannot be used; the text tells people why and what to do."""


_SCHEMA = Schema(
    "The store of users", SCHEMA_VERSION, _TABLES, "use the program that wrote it.", UserStoreError
)


class UserStore:
    """The owner's end: the registrar's, or a command's while no registrar runs.

    Who was removed stays as a name without secrets, so that routers hear of it.
    """

    def __init__(self, path: Path) -> None:
        """Open the store, or make it. UserStoreError if the file cannot be used."""
        self._path = path
        with _SCHEMA.explained(path):
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._database = _SCHEMA.open(path)

    def state(self) -> tuple[str, int]:
        """The series, and the number of the last change."""
        series, number = self._database.execute("SELECT series, number FROM store").fetchone()
        return series, number

    def put(self, entries: Sequence[Entry], now_at: float) -> int:
        """Let users have these secrets, durable when this returns; return how many are new."""
        with _SCHEMA.explained(self._path), transaction(self._database):
            new = sum(self.find(entry.user) is None for entry in entries)
            for entry in entries:
                self._write(entry, now_at)
        return new

    def remove(self, user: str, now_at: float) -> bool:
        """Let nobody be `user`, durable when this returns; False if nobody was."""
        with _SCHEMA.explained(self._path), transaction(self._database):
            if self.find(user) is None:
                return False
            self._write(Entry(user, "", "", ""), now_at)
        return True

    def find(self, user: str) -> Record | None:
        """The user called so; None if there is none."""
        row = self._database.execute(_FIND, (user,)).fetchone()
        return None if row is None or Record(*row).is_removed else Record(*row)

    def page(self, after: int, at_most: int) -> Page:
        """The next `at_most` changes after the number `after` (0: from the first)."""
        return _read_page(self._database, after, at_most)

    def adopt(self, page: Page) -> None:
        """Hold what `page`, of another store, says: this one becomes a copy of that."""
        with _SCHEMA.explained(self._path), transaction(self._database):
            if page.after == 0:
                self._database.execute("DELETE FROM users")
            number = page.records[-1].number if page.records else page.after
            self._database.execute("UPDATE store SET series = ?, number = ?", (page.series, number))
            self._database.executemany(_PUT, page.records)

    def users(self) -> list[Record]:
        """All users, by name."""
        found = self.page(0, -1).records
        return sorted((each for each in found if not each.is_removed), key=lambda each: each.user)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _write(self, entry: Entry, now_at: float) -> None:
        self._database.execute("UPDATE store SET number = number + 1")
        self._database.execute(_PUT, (self.state()[1], *entry, now_at))


def read_page(path: Path, after: int, at_most: int) -> Page | None:
    """As `UserStore.page`, without disturbing the writer; None if there is no store yet."""
    with _SCHEMA.explained(path):
        database = _SCHEMA.open_to_read(path)
        if database is None:
            return None
        with closing(database):
            return _read_page(database, after, at_most)


def _read_page(database: sqlite3.Connection, after: int, at_most: int) -> Page:
    database.execute("BEGIN")
    try:
        (series,) = database.execute("SELECT series FROM store").fetchone()
        limit = at_most + 1 if at_most >= 0 else -1
        rows = database.execute(_SINCE, (after, limit)).fetchall()
    finally:
        database.execute("COMMIT")
    records = [Record(*row) for row in (rows[:at_most] if at_most >= 0 else rows)]
    return Page(series, after, records, more=len(rows) > len(records))
