"""The store of bindings in SQLite: durable once a batch has ended, readable by the routers meanwhile.

All bindings are in memory (`user_table.py`); the file is what they are read from at the start. A batch is one row:
the records of the users whom it changed, in one packed list. So a commit writes a page or two, whoever it is about.
The rows in order, each user's last record counting, are the state. When most of what they hold is superseded, the
oldest ones go, and what still counts in them goes into the next row, so that the file is bounded.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

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
from switchboard.storage.database import Schema, transaction

SCHEMA_VERSION = 2
WORTH = 3
"""So many times what counts the rows may hold before the oldest go."""
SLACK_BYTES = 256_000
"""And so much more: a small store is not tidied at each commit."""
ROWS_AT_ONCE = 64
"""That go in one commit."""
_ROWS = "SELECT number, records FROM changes ORDER BY number"
_OLDEST = f"SELECT number, records FROM changes WHERE number < ? ORDER BY number LIMIT {ROWS_AT_ONCE}"
_TABLES = """
CREATE TABLE changes (number INTEGER PRIMARY KEY, records BLOB NOT NULL);
CREATE TABLE nonces (identity BLOB PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE nonce_series (name TEXT NOT NULL);
INSERT INTO nonce_series SELECT lower(hex(randomblob(8)));
"""
_GRACE = "CREATE TABLE IF NOT EXISTS grace (boot TEXT PRIMARY KEY, number INTEGER NOT NULL)"
"""See `grace.py`; only a start with a wrong clock makes it."""
_SCHEMA = Schema(
    "The store of registrations",
    SCHEMA_VERSION,
    _TABLES,
    "use the program that wrote it, or move the file away (user agents register again).",
    StoreError,
)


class SqliteStore:
    """The registrar's end: the only writer (see `store.Store`). `path` ":memory:" is for tests.

    `series` tells this store of used nonces from one that took its place.
    """

    def __init__(self, path: Path | str) -> None:
        """Open the store, or make it. StoreError if the file cannot be used."""
        self._database = _SCHEMA.open(path)
        with _SCHEMA.explained(path):
            (self.series,) = self._database.execute("SELECT name FROM nonce_series").fetchone()
            self._load()
        self._change: Change | None = None
        self._nonces: dict[bytes, bytes | None] = {}  # to be kept with this batch
        self._names: list[str] = []  # in order, while pages are asked for

    def _load(self) -> None:
        self.table, self.number, self._octets = UserTable(), 0, 0
        for number, records in self._database.execute(_ROWS):
            self.table.take(records, 0, number)
            self.number = number
            self._octets += len(records)

    @contextmanager
    def batch(self) -> Iterator[Change]:
        """As in `Store`; one commit, synced to the disk if there was a write."""
        change = self._change = Change()
        try:
            yield change
            self._settle(change)
        except BaseException:
            if change.records:
                self._load()
            raise
        finally:
            self._change = None
            self._nonces = {}

    def _settle(self, change: Change) -> None:
        change.number = self.number + bool(change.records)
        if change.records or self._nonces:
            with transaction(self._database):
                self._write(change)
        self.number = change.number

    def _write(self, change: Change) -> None:
        if change.records:
            row = pack_records([*self._tidy(change.number), *change.records])
            self._database.execute("INSERT INTO changes VALUES (?, ?)", (change.number, row))
            self._octets += len(row)
        for identity, state in self._nonces.items():
            if state is None:
                self._database.execute("DELETE FROM nonces WHERE identity = ?", (identity,))
            else:
                self._database.execute("INSERT OR REPLACE INTO nonces VALUES (?, ?)", (identity, state))

    def _tidy(self, number: int) -> list[bytes]:
        """Let the oldest rows go if that is worth it; what still counts in them is to be in row `number`."""
        if self._octets < WORTH * self.table.octets + SLACK_BYTES:
            return []
        rows = self._database.execute(_OLDEST, (number,)).fetchall()
        kept = [each for row, records in rows for each in self.table.in_force(records, row)]
        self._database.execute("DELETE FROM changes WHERE number <= ?", (rows[-1][0],))
        self._octets -= sum(len(records) for _, records in rows)
        for record in kept:
            self.table.take(pack_records([record]), 0, number)
        return kept

    def put(self, user: str, bindings: Sequence[Binding]) -> None:
        """As in `Store`; UsageError outside of a batch."""
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

    def nonces(self) -> list[tuple[bytes, bytes]]:
        """What was kept of nonces, by identity; the oldest first."""
        return self._database.execute("SELECT identity, state FROM nonces ORDER BY identity").fetchall()

    def begin_grace(self, boot: str) -> int:
        """The number of the last change when this was first asked for in this boot; 0: the grace has ended."""
        with transaction(self._database):
            self._database.execute(_GRACE)
            found = self._database.execute("SELECT number FROM grace WHERE boot = ?", (boot,)).fetchone()
            if found is None:
                self._database.execute("DELETE FROM grace")
                self._database.execute("INSERT INTO grace VALUES (?, ?)", (boot, self.number))
        return int(found[0]) if found else self.number

    def end_grace(self) -> None:
        """There is nothing left to do in this boot. Takes effect with the batch, or if that has no changes, at once."""
        self._database.execute("UPDATE grace SET number = 0")

    def bindings(self, user: str) -> list[Binding]:
        """As in `Store`."""
        return bindings_in(self.table.get(user))

    def expired_users(self, now_at: float) -> list[str]:
        """As in `Store`."""
        return self.table.expired(now_at)

    def snapshot(self) -> Snapshot:
        """As in `Store`."""
        return self.number, {user: self.bindings(user) for user in self.table.users()}

    def page(self, after: str, at_most: int) -> Page:
        """As in `Store`; names are put in order when the first page is wanted, and when there are others."""
        if not after or len(self._names) != len(self.table):
            self._names = sorted(self.table.users())
        start = bisect_right(self._names, after)
        names, more = self._names[start : start + at_most], len(self._names) > start + at_most
        if not more:
            self._names = []
        return Page(self.number, after, {user: self.bindings(user) for user in names}, more)

    def count(self) -> tuple[int, int]:
        """How many users are registered, and with how many bindings, expired ones included."""
        return self.table.bound, self.table.bindings

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


def read_rows(path: Path) -> Iterator[tuple[int, bytes]]:
    """The number and the packed records of each row that the store at `path` holds, the oldest first.

    Its writer is not disturbed. StoreError if the file cannot be used; no rows if there is none yet.
    """
    with _SCHEMA.explained(path):
        database = _SCHEMA.open_to_read(path)
        if database is not None:
            with closing(database):
                yield from database.execute(_ROWS)


def read_snapshot(path: Path) -> Snapshot:
    """All that the store at `path` holds; (0, {}) if there is none yet. StoreError as above."""
    last, users = 0, {}
    for number, records in read_rows(path):
        last = number
        users.update(users_in(records))
    return last, users
