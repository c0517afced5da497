"""The users on disk (SQLite): HA1 for each algorithm, never a password; for nobody else's eyes."""

import errno
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from switchboard.auth.users import Entry, Page, Record
from switchboard.storage.database import Schema, file_at, transaction
from switchboard.storage.mending import Plan
from switchboard.storage.rescue import Row
from switchboard.storage.restoring import take_restored
from switchboard.storage.secret import make_private
from switchboard.storage.unusable import NotWritten, UnusableFile
from switchboard.storage.writing import Writing, error_number, words_of

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
_NAMED = (
    f"SELECT {_COLUMNS} FROM users WHERE user > ? AND user >= ? AND user < ? AND sha256 != '' "
    "ORDER BY user LIMIT ?"
)
_LAST_CHARACTER = "\U0010ffff"
_FIND = f"SELECT {_COLUMNS} FROM users WHERE user = ?"

_PUT = "INSERT OR REPLACE INTO users VALUES (?, ?, ?, ?, ?, ?)"


class UserStoreError(UnusableFile):
    """The store cannot be used; the text tells people why and what to do."""


def _user_in(row: Row) -> Sequence[Any] | None:
    """A row of `users`, whose key stands first on the disk."""
    match row:
        case None, [str(user), int(number), str(realm), str(sha256), str(md5), int() | float() as changed_at]:
            return number, user, realm, sha256, md5, float(changed_at)
    return None


def _name_in(row: Row) -> Sequence[Any] | None:
    """An entry of `users_by_number`."""
    match row:
        case None, [int(number), str(user)]:
            return number, user
    return None


SCHEMA = Schema(
    "The store of users",
    SCHEMA_VERSION,
    "use the program that wrote it.",
    UserStoreError,
    Plan(
        _TABLES,
        {_PUT: _user_in, "INSERT INTO temp.named VALUES (?, ?)": _name_in},
        "bring back who is missing: switchboard restore DIR users, or switchboard user add NAME",
        settle="UPDATE store SET number = (SELECT coalesce(max(number), 0) FROM users);",
        memory="CREATE TEMP TABLE named (number, user);",
        missing="SELECT DISTINCT user FROM temp.named WHERE user NOT IN (SELECT user FROM users) ORDER BY number",
        renew="UPDATE store SET series = lower(hex(randomblob(8)));",
    ),
    check="integrity_check",
)
ROOM_BYTES = 64_000
"""This amount has to be written before writing counts as possible again."""
LOCK_S = 0.25
"""A change waits this long for the lock of another program; there should be no such program."""


class UserStore:
    """The owner's end: the registrar's, or a command's while no registrar runs.

    A removed user stays as a name without secrets, so that routers learn of it.
    """

    def __init__(self, path: Path) -> None:
        """Open the store, or make it; what is damaged of it is mended. UserStoreError if the file cannot be used."""
        self.writing = Writing("users", "they stay as they are")
        self.was_exposed = False
        """Whether others could read the file until now."""
        self._path = path
        self._file = (0, 0)
        self._database = self._open()

    def _open(self) -> sqlite3.Connection:
        """The file, or while that cannot be opened, what it holds."""
        try:
            return self._connect()
        except UserStoreError as error:
            if not (error.__cause__ and SCHEMA.is_for_now(error)):
                raise
            try:
                database = SCHEMA.open_copy(self._path)
            except UserStoreError:
                raise error from error.__cause__
            self.writing.failed(error_number(error.__cause__))
            return database

    def _connect(self) -> sqlite3.Connection:
        with SCHEMA.explained(self._path):
            take_restored(self._path)
            self.was_exposed = make_private(self._path) or self.was_exposed
            SCHEMA.examine(self._path)
        database = SCHEMA.open(self._path)
        database.execute(f"PRAGMA busy_timeout = {LOCK_S * 1000:.0f}")
        self._file = file_at(self._path)
        return database

    def try_again(self) -> None:
        """See whether the file can be written again, which could not be. If it is gone, make it of what is open."""
        is_gone = not self._path.exists()
        try:
            database = self._connect()
            if is_gone:
                self._database.backup(database)
            self._database, before = database, self._database
            before.close()
            database.execute("DROP TABLE IF EXISTS room")
            with transaction(database):  # there has to be room for more than what the next change may be
                database.execute("CREATE TABLE room AS SELECT zeroblob(?)", (ROOM_BYTES,))
            with transaction(database):
                database.execute("DROP TABLE room")
        except (UserStoreError, sqlite3.Error) as error:
            number = error_number(error.__cause__ or error)
            if not number:
                raise
            self.writing.failed(number)
        else:
            self.writing.worked()

    def keep_place(self) -> None:
        """Make the file again if it was taken away: nobody would find what is written to the one that is open."""
        if self._file != file_at(self._path):
            self.writing.failed(errno.ENOENT)
            self.try_again()

    @contextmanager
    def _change(self) -> Iterator[None]:
        """A transaction. NotWritten: nothing has happened."""
        self.keep_place()
        if self.writing.error:
            raise NotWritten(self.writing.note())
        try:
            with transaction(self._database):
                yield
        except (sqlite3.Error, OSError) as error:
            if not (number := error_number(error)):
                raise UserStoreError(f"The store of users {self._path} cannot be used: {error}.") from error
            self.writing.failed(number)
            raise NotWritten(f"the users cannot be changed: {words_of(number)} ({self._path})") from error

    joined = 0
    """Users of this file who were put to those of others."""

    @property
    def fd(self) -> int | None:
        """Readable when others have changed something; None: there are no others."""
        return None

    def go_on(self) -> None:
        """Take over what others have changed. UserStoreError."""

    def state(self) -> tuple[str, int]:
        """The series, and the number of the last change. UserStoreError."""
        with SCHEMA.explained(self._path):
            series, number = self._database.execute("SELECT series, number FROM store").fetchone()
        return series, number

    def put(self, entries: Sequence[Entry], now_at: float) -> int:
        """Let users have these secrets, durable when this returns; return how many are new. NotWritten."""
        with self._change():
            new = sum(self.find(entry.user) is None for entry in entries)
            for entry in entries:
                self._write(entry, now_at)
        return new

    def remove(self, user: str, now_at: float) -> bool:
        """Let nobody be `user`, durable when this returns; False if nobody was. NotWritten."""
        with self._change():
            if self.find(user) is None:
                return False
            self._write(Entry(user, "", "", ""), now_at)
        return True

    def merge(self, records: Sequence[Record]) -> int:
        """Take those that were changed later than what is here, removed users too; how many these are. NotWritten."""
        with self._change():
            later = [each for each in records if each.changed_at > self._changed_at(each.user)]
            for each in later:
                self._write(Entry(each.user, each.realm, each.sha256, each.md5), each.changed_at)
        return len(later)

    def _changed_at(self, user: str) -> float:
        """0.0 for somebody who never was."""
        row = self._database.execute(_FIND, (user,)).fetchone()
        return 0.0 if row is None else Record(*row).changed_at

    def find(self, user: str) -> Record | None:
        """The user called so; None if there is none."""
        row = self._database.execute(_FIND, (user,)).fetchone()
        return None if row is None or Record(*row).is_removed else Record(*row)

    def page(self, after: int, at_most: int) -> Page:
        """The next `at_most` changes after the number `after` (0: from the first). UserStoreError."""
        with SCHEMA.explained(self._path):
            return _read_page(self._database, after, at_most)

    def adopt(self, page: Page) -> None:
        """Hold what `page`, of another store, says: this one becomes a copy of that. NotWritten."""
        with self._change():
            if page.after == 0:
                self._database.execute("DELETE FROM users")
            number = page.records[-1].number if page.records else page.after
            self._database.execute("UPDATE store SET series = ?, number = ?", (page.series, number))
            self._database.executemany(_PUT, page.records)

    def users(self) -> list[Record]:
        """All users, by name."""
        found = self.page(0, -1).records
        return sorted((each for each in found if not each.is_removed), key=lambda each: each.user)

    def named(self, prefix: str, after: str, at_most: int) -> list[Record]:
        """The next `at_most` users whose names begin so and follow the name `after` ("": from the first), by name."""
        values = after, prefix, prefix + _LAST_CHARACTER, at_most
        return [Record(*row) for row in self._database.execute(_NAMED, values)]

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _write(self, entry: Entry, now_at: float) -> None:
        self._database.execute("UPDATE store SET number = number + 1")
        self._database.execute(_PUT, (self.state()[1], *entry, now_at))


def read_page(path: Path, after: int, at_most: int) -> Page | None:
    """As `UserStore.page`, without disturbing the writer; None if there is no store yet."""
    with SCHEMA.explained(path):
        database = SCHEMA.open_to_read(path)
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
