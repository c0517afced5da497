"""The store of bindings in SQLite: durable once a batch has ended, readable by the routers meanwhile.

Theory. All bindings are in memory (`user_table.py`); the file is read at a start only. So it needs no index, and is
a log in a table: a batch is one row with the records of the users whom it changed, in one packed list. A commit
writes a page or two, whichever users it concerns. The state is the result of all rows in order, in which the last
record of a user counts. When most of the rows' content is superseded, the oldest rows are removed, and their valid
records go into the next row. So the file is bounded.

While the file cannot be written (a full disk, a foreign lock), the previous state stays in force, and no change
takes effect. `try_again` finds out when it can be written.
"""

import errno
import os
import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from switchboard.codec import CodecError
from switchboard.registrar.binding import Binding
from switchboard.registrar.store import Change, Page, Snapshot, StoreError
from switchboard.registrar.user_table import (
    UserTable,
    bindings_in,
    pack_record,
    pack_records,
    users_in,
)
from switchboard.sip.errors import UsageError
from switchboard.storage.database import Schema, file_at, transaction
from switchboard.storage.mending import Plan
from switchboard.storage.rescue import Row
from switchboard.storage.restoring import take_restored
from switchboard.storage.unusable import NotWritten
from switchboard.storage.writing import Writing, error_number

SCHEMA_VERSION = 2
WORTH = 3
"""The rows may hold this multiple of the valid data before the oldest are removed."""
SLACK_BYTES = 256_000
"""And this in addition: a small store is not cleaned at each commit."""
ROWS_AT_ONCE = 64
BYTES_AT_ONCE = 256_000
"""Of the oldest rows that go in one commit; and twice what is new in it, so that they do not gather."""
_ROWS = "SELECT number, records FROM changes ORDER BY number"
_OLDEST = f"SELECT number, records FROM changes WHERE number < ? ORDER BY number LIMIT {ROWS_AT_ONCE}"
_NONCES = "SELECT identity, state FROM nonces WHERE identity > x'' ORDER BY identity"
_TABLES = """
CREATE TABLE changes (number INTEGER PRIMARY KEY, records BLOB NOT NULL);
CREATE TABLE nonces (identity BLOB PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE nonce_series (name TEXT NOT NULL);
INSERT INTO nonce_series SELECT lower(hex(randomblob(8)));
"""
_GRACE = "CREATE TABLE IF NOT EXISTS grace (boot TEXT PRIMARY KEY, number INTEGER NOT NULL)"
"""See `grace.py`; only a start with a wrong clock makes it."""
LOCK_S = 0.1
"""A commit waits this long for the lock of another program; there should be no such program."""
ROOM_BYTES = 256_000
"""This amount has to be written before writing counts as possible again."""
NONCES_KEPT = 100_000
"""Uses of nonces that wait until they can be written; the oldest go."""
AFTER_A_LOSS = 1_000_000
"""Changes that are numbered past when the file has been mended: routers, which may know later ones, read all anew."""

_NUMBER_ANEW = f"INSERT INTO changes SELECT coalesce(max(number), 0) + {AFTER_A_LOSS}, x'90' FROM changes;"
_MISSING = f"""
SELECT sum(number - before - 1) || ' changes'
FROM (SELECT number, lag(number) OVER (ORDER BY number) AS before FROM changes)
WHERE number - before BETWEEN 2 AND {AFTER_A_LOSS - 1} HAVING count(*)
"""


def _change_in(row: Row) -> Sequence[Any] | None:
    """A row of `changes`."""
    match row:
        case int(number), [None, bytes(records)]:
            with suppress(CodecError):
                UserTable().take(records)
                return number, records
    return None


SCHEMA = Schema(
    "The store of registrations",
    SCHEMA_VERSION,
    "use the program that wrote it, or move the file away (user agents register again).",
    StoreError,
    Plan(
        _TABLES,
        {"INSERT OR REPLACE INTO changes VALUES (?, ?)": _change_in},
        "phones that are missing register again by themselves, or: switchboard restore DIR bindings",
        settle=_NUMBER_ANEW,
        missing=_MISSING,
        renew=f"DELETE FROM nonces; UPDATE nonce_series SET name = lower(hex(randomblob(8))); {_NUMBER_ANEW}",
    ),
)


class SqliteStore:
    """The registrar's end: the only writer (see `store.Store`). `path` ":memory:" is for tests.

    `series` tells this store of used nonces from one that took its place. `first`: changes get higher numbers.
    """

    def __init__(self, path: Path | str, first: int = 0) -> None:
        """Open the store, or make it; what is damaged of it is mended. StoreError if the file cannot be used."""
        self.writing = Writing("registrations", "REGISTERs that change something are answered 503")
        self._path = path
        self._first = first
        self._change: Change | None = None
        self._nonces: dict[bytes, bytes | None] = {}  # to be kept with the next commit
        self._names: list[str] = []  # in order, while pages are asked for
        self._file = (0, 0)
        self._is_copy = False
        """Whether what the file held is in memory, since it could not be mended or opened."""
        self._database = self._open()
        try:
            self._load()
        except CodecError as error:
            self._database.close()
            SCHEMA.mend(Path(self._path), str(error))
            self._database = self._open()
            self._load()
        if self.number < first:
            self._begin_at(first)

    def _begin_at(self, first: int) -> None:
        """Routers read the number of the last change in the file, too. What cannot be written is tried again."""
        self.number = first
        with suppress(NotWritten):
            self._try_to(self._write_table)

    def _open_mended(self) -> sqlite3.Connection:
        """Put in place what was restored, mend what is damaged, and open the file."""
        if isinstance(self._path, Path):
            with SCHEMA.explained(self._path):
                take_restored(self._path)
            SCHEMA.examine(self._path)
        return self._connect()

    def _open(self) -> sqlite3.Connection:
        """The file, or while that cannot be opened or mended, what it holds."""
        try:
            return self._open_mended()
        except StoreError as error:
            if not (isinstance(self._path, Path) and error.__cause__ and SCHEMA.is_for_now(error)):
                raise
            try:
                database = SCHEMA.open_copy(self._path)
            except StoreError:
                raise error from error.__cause__
            self._is_copy = True
            self.writing.failed(error_number(error.__cause__))
            return database

    def _connect(self) -> sqlite3.Connection:
        if isinstance(self._path, Path):
            with SCHEMA.explained(self._path):  # SQLite does not say why not
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644))
        database = SCHEMA.open(self._path)
        database.execute(f"PRAGMA busy_timeout = {LOCK_S * 1000:.0f}")
        self._file = file_at(self._path)
        return database

    def _load(self) -> None:
        self.table, self.number, self._octets = UserTable(), 0, 0
        with SCHEMA.explained(self._path):
            (self.series,) = self._database.execute("SELECT name FROM nonce_series").fetchone()
            for number, records in self._database.execute(_ROWS):
                self.table.take(records, 0, number)
                self.number = number
                self._octets += len(records)

    @contextmanager
    def batch(self) -> Iterator[Change]:
        """As in `Store`; one commit, synced to the disk if there was a write. NotWritten: nothing has happened."""
        change = self._change = Change()
        octets = self._octets
        self.table.begin()
        try:
            yield change
            self._settle(change)
        except BaseException:
            self.table.undo()
            self._octets = octets
            raise
        finally:
            self.table.keep()
            self._change = None

    def _settle(self, change: Change) -> None:
        number = self.number + bool(change.records)
        if (change.records or self._nonces) and not self.writing.error:
            self._check_place()
            change.number = number
            self._try_to(lambda: self._write(change))
            self._nonces = {}
        change.number = self.number = number

    def _check_place(self) -> None:
        """NotWritten: the file was taken away, or another one is in its place; nobody would find what is written."""
        if self._file != file_at(self._path):
            self.writing.failed(errno.ENOENT)
            raise NotWritten(f"{self._path} is gone, or another one by now.")

    def _try_to(self, write: Callable[[], object]) -> None:
        try:
            with transaction(self._database):
                write()
        except (sqlite3.Error, OSError) as error:
            if not (number := error_number(error)):
                raise
            self.writing.failed(number)
            raise NotWritten(str(error)) from error

    def try_again(self) -> bool:
        """Whether the file can be written again, which could not be. StoreError if it is another one by now."""
        was_copy = self._is_copy
        try:
            database = self._open_mended() if was_copy else self._connect()
            self._database, before = database, self._database
            before.close()
            self._try_to(self._write_much)
            self._try_to(self._write_nonces)
        except (StoreError, sqlite3.Error) as error:
            number = error_number(error.__cause__ or error)
            if not number:
                raise
            self.writing.failed(number)
        except NotWritten:
            return False
        else:
            self._nonces, self._is_copy = {}, False
            return self._agree_with_file(was_copy)
        return False

    def _agree_with_file(self, was_copy: bool) -> bool:
        """Whether the file, which can be written again, has what is in memory; a new one gets that."""
        row = self._last_row()
        try:
            if row < self._first or (row == 0 and self.number and not was_copy):
                self.number = max(self.number, self._first)
                self._try_to(self._write_table)
            elif was_copy or row != self.number:
                self._load()
        except NotWritten:
            return False
        self.writing.worked()
        return True

    def _write_table(self) -> None:
        """The file was taken away, or is new, and this one has nothing: write all that is in force as one row."""
        users = self.table.users()
        row = pack_records([pack_record(user, bindings_in(self.table.get(user))) for user in users])
        self._database.execute("INSERT INTO changes VALUES (?, ?)", (self.number, row))
        self.table.take(row, 0, self.number)
        self._octets = len(row)

    def _last_row(self) -> int:
        (number,) = self._database.execute("SELECT coalesce(max(number), 0) FROM changes").fetchone()
        return int(number)

    def _write(self, change: Change) -> None:
        if change.records:
            new = pack_records(change.records)
            kept = self._tidy(change.number, BYTES_AT_ONCE + 2 * len(new))
            row = pack_records([*kept, *change.records]) if kept else new
            self._database.execute("INSERT INTO changes VALUES (?, ?)", (change.number, row))
            self._octets += len(row)
        self._write_nonces()

    def _write_much(self) -> None:
        """There has to be room for more than what the next commit may be."""
        self._database.execute("INSERT OR REPLACE INTO nonces VALUES (x'', zeroblob(?))", (ROOM_BYTES,))

    def _write_nonces(self) -> None:
        if self.writing.error:
            self._database.execute("DELETE FROM nonces WHERE identity = x''")
        for identity, state in self._nonces.items():
            if state is None:
                self._database.execute("DELETE FROM nonces WHERE identity = ?", (identity,))
            else:
                self._database.execute("INSERT OR REPLACE INTO nonces VALUES (?, ?)", (identity, state))

    def _tidy(self, number: int, at_most: int) -> list[bytes]:
        """Let the oldest rows go, `at_most` octets or one, if that is worth it.

        What still counts in them is to be in row `number`.
        """
        if self._octets < WORTH * self.table.octets + SLACK_BYTES:
            return []
        rows = self._oldest(number, at_most)
        kept = [each for row, records in rows for each in self.table.in_force(records, row)]
        self._database.execute("DELETE FROM changes WHERE number <= ?", (rows[-1][0],))
        self._octets -= sum(len(records) for _, records in rows)
        for record in kept:
            self.table.take(pack_records([record]), 0, number)
        return kept

    def _oldest(self, number: int, at_most: int) -> list[tuple[int, bytes]]:
        rows = []
        with closing(self._database.execute(_OLDEST, (number,))) as found:
            for row, records in found:
                rows.append((row, records))
                at_most -= len(records)
                if at_most <= 0:
                    break
        return rows

    def put(self, user: str, bindings: Sequence[Binding]) -> None:
        """As in `Store`; UsageError outside of a batch, NotWritten while that is impossible."""
        if self.writing.error:
            raise NotWritten(self.writing.note())
        record = pack_record(user, bindings)
        self.records.append(record)
        self.table.take(pack_records([record]), 0, self.number + 1)

    @property
    def records(self) -> list[bytes]:
        """Those of the batch: who adds one lets `table` take it, with the row `number` + 1.

        UsageError outside of a batch.
        """
        if self._change is None:
            raise UsageError("bindings are put within a batch")
        return self._change.records

    def keep_nonces(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Keep how often nonces were used, by identity; None: forget it. Only within a batch."""
        self._nonces |= changes
        while len(self._nonces) > NONCES_KEPT:
            del self._nonces[next(iter(self._nonces))]

    def nonces(self) -> list[tuple[bytes, bytes]]:
        """What was kept of nonces, by identity; the oldest first."""
        return self._database.execute(_NONCES).fetchall()

    def begin_grace(self, boot: str) -> int:
        """The number of the last change when this was first asked for in this boot; 0: the grace has ended.

        NotWritten.
        """
        self._try_to(lambda: self._write_grace(boot))
        (number,) = self._database.execute("SELECT number FROM grace").fetchone()
        return int(number)

    def _write_grace(self, boot: str) -> None:
        self._database.execute(_GRACE)
        self._database.execute("DELETE FROM grace WHERE boot != ?", (boot,))
        self._database.execute("INSERT OR IGNORE INTO grace VALUES (?, ?)", (boot, self.number))

    def end_grace(self) -> None:
        """There is nothing left to do in this boot. NotWritten."""
        self._try_to(lambda: self._database.execute("UPDATE grace SET number = 0"))

    def bindings(self, user: str) -> list[Binding]:
        """As in `Store`."""
        return bindings_in(self.table.get(user))

    def expired_users(self, now_at: float, at_most: int) -> tuple[list[str], bool]:
        """As in `Store`."""
        return self.table.expired(now_at, at_most)

    def snapshot(self) -> Snapshot:
        """As in `Store`."""
        return self.number, {user: self.bindings(user) for user in self.table.users()}

    def page(self, after: str, at_most: int) -> Page:
        """As in `Store`; names are put in order for the first page. Users that are new since are in a later change."""
        if not (after and self._names):
            self._names = sorted(self.table.users())
        start = bisect_right(self._names, after)
        names, more = self._names[start : start + at_most], len(self._names) > start + at_most
        if not more:
            self._names = []
        return Page(self.number, after, {user: self.bindings(user) for user in names}, more)

    expiring = batch
    """As in `Store`; nobody else has a copy."""

    @property
    def fd(self) -> int | None:
        """As in `Store`."""
        return None

    @property
    def is_waiting(self) -> bool:
        """As in `Store`."""
        return False

    def go_on(self) -> None:
        """As in `Store`: nobody else changes it."""

    def give_up(self) -> None:
        """As in `Store`: nobody else is waited for."""

    def take_changes(self) -> list[Change]:
        """As in `Store`."""
        return []

    def stats(self) -> dict[str, float]:
        """As in `Store`."""
        return {}

    def count(self) -> tuple[int, int]:
        """How many users are registered, and with how many bindings, expired ones included."""
        return len(self.table), self.table.bindings

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


def read_rows(path: Path) -> Iterator[tuple[int, bytes]]:
    """The number and the packed records of each row that the store at `path` holds, the oldest first.

    Its writer is not disturbed. StoreError if the file cannot be used; no rows if there is none yet.
    """
    with SCHEMA.explained(path):
        if database := SCHEMA.open_to_read(path):
            yield from _rows_of(database)


def read_remains(path: Path) -> Iterator[tuple[int, bytes]]:
    """The same of a damaged store: all rows that can be read, numbered as the registrar does that mends it."""
    with SCHEMA.explained(path):
        yield from _rows_of(SCHEMA.open_copy(path))


def _rows_of(database: sqlite3.Connection) -> Iterator[tuple[int, bytes]]:
    with closing(database):
        yield from database.execute(_ROWS)


def read_snapshot(path: Path) -> Snapshot:
    """All that the store at `path` holds; (0, {}) if there is none yet. StoreError as above."""
    last, users = 0, {}
    for number, records in read_rows(path):
        last = number
        users.update(users_in(records))
    return last, {user: bindings for user, bindings in users.items() if bindings}
