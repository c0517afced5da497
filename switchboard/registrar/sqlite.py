"""The store of bindings in SQLite: durable once a batch has ended, readable by the routers meanwhile."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from switchboard.registrar.binding import Binding
from switchboard.registrar.store import Change, Page, Snapshot, StoreError
from switchboard.sip.errors import UsageError
from switchboard.storage.database import Schema, transaction

SCHEMA_VERSION = 1
_PAGE = "SELECT user FROM users WHERE user > ? ORDER BY user LIMIT ?"
_COLUMNS = "contact, q, expires_at, next_hop, path, params, call_id, cseq, user_agent, source, branch"
_BINDINGS = f"SELECT {_COLUMNS} FROM bindings WHERE user = ? ORDER BY position"
_ADD_USER = "INSERT OR IGNORE INTO users VALUES (?)"
_CUT = "DELETE FROM bindings WHERE user = ? AND position >= ?"
_PUT = f"INSERT OR REPLACE INTO bindings VALUES ({', '.join('?' * 13)})"
_COUNT = "SELECT TOTAL(position = 0), COUNT(*) FROM bindings"
_NO_PATH = "[]"
_TEXT_ERRORS = "surrogateescape"
_TABLES = """
CREATE TABLE change (number INTEGER NOT NULL);
INSERT INTO change VALUES (0);
CREATE TABLE users (user TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE bindings (
    user TEXT NOT NULL, position INTEGER NOT NULL,
    contact TEXT NOT NULL, q REAL NOT NULL, expires_at REAL NOT NULL, next_hop TEXT NOT NULL,
    path TEXT NOT NULL, params TEXT NOT NULL, call_id TEXT NOT NULL, cseq INTEGER NOT NULL,
    user_agent TEXT NOT NULL, source TEXT NOT NULL, branch TEXT NOT NULL,
    PRIMARY KEY (user, position)
) WITHOUT ROWID;
CREATE INDEX bindings_by_expiry ON bindings (expires_at);
"""
_SCHEMA = Schema(
    "The store of registrations",
    SCHEMA_VERSION,
    _TABLES,
    "use the program that wrote it, or move the file away (user agents register again).",
    StoreError,
)
_NONCES = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS nonces (identity BLOB PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS nonce_series (name TEXT NOT NULL);
INSERT INTO nonce_series SELECT lower(hex(randomblob(8))) WHERE NOT EXISTS (SELECT 1 FROM nonce_series);
COMMIT;
"""


class SqliteStore:
    """The registrar's end: the only writer (see `store.Store`). `path` ":memory:" is for tests.

    `series` tells this store of used nonces from one that took its place.
    """

    def __init__(self, path: Path | str) -> None:
        """Open the store, or make it. StoreError if the file cannot be used."""
        self._database = _SCHEMA.open(path)
        with _SCHEMA.explained(path):
            self._database.executescript(_NONCES)  # a store of 0.1 has none
            self.number = _read_number(self._database)
            (self.series,) = self._database.execute("SELECT name FROM nonce_series").fetchone()
        self._change: Change | None = None
        self._held: dict[str, int] = {}  # how many bindings users had before this batch, as far as it knows

    @contextmanager
    def batch(self) -> Iterator[Change]:
        """As in `Store`; one commit, synced to the disk if there was a write."""
        self._change = Change()
        try:
            with transaction(self._database):
                yield self._change
                self._settle(self._change)
            self.number = self._change.number
        finally:
            self._change = None
            self._held.clear()

    def _settle(self, change: Change) -> None:
        change.number = self.number + bool(change.users)
        if change.users:
            self._write(change.users)
            self._database.execute("UPDATE change SET number = ?", (change.number,))

    def put(self, user: str, bindings: Sequence[Binding]) -> None:
        """As in `Store`; UsageError outside of a batch."""
        if self._change is None:
            raise UsageError("bindings are put within a batch")
        self._change.users[user] = list(bindings)

    def _write(self, users: Mapping[str, Sequence[Binding]]) -> None:
        """Each user's last state; a statement for many rows costs less than many statements."""
        added, cut, rows = [], [], []
        for user, bindings in users.items():
            held = self._held.get(user)
            if not held:
                added.append((user,))
            if held is None or held > len(bindings):
                cut.append((user, len(bindings)))
            for position, binding in enumerate(bindings):
                rows.append((user, position, *_to_row(binding)))
        for statement, values in ((_ADD_USER, added), (_CUT, cut), (_PUT, rows)):
            if values:
                self._database.executemany(statement, values)

    def keep_nonces(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Keep how often nonces were used, by identity; None: forget it. Only within a batch."""
        for identity, state in changes.items():
            if state is None:
                self._database.execute("DELETE FROM nonces WHERE identity = ?", (identity,))
            else:
                self._database.execute("INSERT OR REPLACE INTO nonces VALUES (?, ?)", (identity, state))

    def nonces(self) -> list[tuple[bytes, bytes]]:
        """What was kept of nonces, by identity; the oldest first."""
        return self._database.execute("SELECT identity, state FROM nonces ORDER BY identity").fetchall()

    def bindings(self, user: str) -> list[Binding]:
        """As in `Store`."""
        if self._change is not None and user in self._change.users:
            return list(self._change.users[user])
        found = [_from_row(row) for row in self._database.execute(_BINDINGS, (user,))]
        if self._change is not None:
            self._held[user] = len(found)
        return found

    def expired_users(self, now_at: float) -> list[str]:
        """As in `Store`."""
        query = "SELECT DISTINCT user FROM bindings WHERE expires_at <= ?"
        return [user for (user,) in self._database.execute(query, (now_at,))]

    def snapshot(self) -> Snapshot:
        """As in `Store`."""
        return _read(self._database)

    def page(self, after: str, at_most: int) -> Page:
        """As in `Store`."""
        rows = self._database.execute(_PAGE, (after, at_most + 1)).fetchall()
        users = {user: self.bindings(user) for (user,) in rows[:at_most]}
        return Page(self.number, after, users, more=len(rows) > at_most)

    def count(self) -> tuple[int, int]:
        """How many users are registered, and with how many bindings, expired ones included."""
        users, bindings = self._database.execute(_COUNT).fetchone()
        return int(users), bindings

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


def read_snapshot(path: Path) -> Snapshot:
    """All that the store at `path` holds, without disturbing its writer; (0, {}) if there is none yet.

    StoreError if the file cannot be used.
    """
    with _SCHEMA.explained(path):
        database = _SCHEMA.open_to_read(path)
        if database is None:
            return 0, {}
        with closing(database):
            database.execute("BEGIN")
            return _read(database)


def _read(database: sqlite3.Connection) -> Snapshot:
    number = _read_number(database)
    users: dict[str, list[Binding]] = {user: [] for (user,) in database.execute("SELECT user FROM users")}
    for user, *row in database.execute(f"SELECT user, {_COLUMNS} FROM bindings ORDER BY user, position"):
        users[user].append(_from_row(row))
    return number, users


def _read_number(database: sqlite3.Connection) -> int:
    (number,) = database.execute("SELECT number FROM change").fetchone()
    return int(number)


def _to_row(binding: Binding) -> list[object]:
    contact, q, expires_at, next_hop, path, *rest = binding
    row = [contact, q, expires_at, next_hop, json.dumps(path) if path else _NO_PATH, *rest]
    return list(map(_as_column, row))


def _as_column(value: object) -> object:
    """Text that is no UTF-8 on the wire is kept as its octets: SQLite takes no lone surrogates."""
    if not isinstance(value, str) or value.isascii():
        return value
    octets = value.encode("utf-8", _TEXT_ERRORS)
    return value if octets.decode("utf-8", "ignore") == value else octets


def _from_row(row: Sequence[Any]) -> Binding:
    if bytes in map(type, row):
        row = [each.decode("utf-8", _TEXT_ERRORS) if isinstance(each, bytes) else each for each in row]
    contact, q, expires_at, next_hop, path, *rest = row
    path = () if path == _NO_PATH else tuple(json.loads(path))
    return Binding(contact, q, expires_at, next_hop, path, *rest)
