"""Records of calls on PostgreSQL (see `ledger.py`). The module needs psycopg, and is imported only where it is used."""

import errno
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import psycopg
from pydantic_core import to_json

from switchboard.journal.ledger import Known, RowsRefused
from switchboard.journal.record import timestamp
from switchboard.journal.row import Row
from switchboard.journal.spool import Place
from switchboard.postgres.connection import Connection, connect, explained
from switchboard.postgres.schema import LaterSchema, ensure
from switchboard.postgres.url import PostgresUrl
from switchboard.storage.unusable import RemoteError

LIMIT_S: Final = 10.0
"""For a part of the spool: nobody waits for it, and a server may have much to do."""
ROWS_AT_ONCE: Final = 500
_NO_ROW: Final = ("22", "23", "54")
"""Classes of SQLSTATE: the server is well, and cannot store a value."""
_TYPES: Final = {
    "id": "uuid", "started_at": "timestamptz", "ringing_at": "timestamptz", "answered_at": "timestamptz",
    "ended_at": "timestamptz", "duration_s": "numeric", "status": "int4",
}  # fmt: skip
_COLUMNS: Final = ", ".join(Row._fields)
_TYPED: Final = ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in Row._fields)
_ADD: Final = f"""
INSERT INTO calls ({_COLUMNS}) SELECT {_COLUMNS}::jsonb FROM json_to_recordset(%s::json) AS r ({_TYPED})
ON CONFLICT (id) DO NOTHING
"""
"""All rows in one value: psycopg would look at each of its own."""
_MOVE: Final = """
INSERT INTO shipped_files AS f (switchboard, file, place, seen, is_finished) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (switchboard, file) DO UPDATE SET
    place = excluded.place, seen = excluded.seen, is_finished = excluded.is_finished, shipped_at = now()
"""
_KNOWN: Final = (
    "SELECT file, place, seen, is_finished FROM shipped_files WHERE switchboard = %s AND file = %s"
)
_CHECK: Final = "SELECT current_setting('transaction_read_only') = 'on'"
_EPOCH: Final = tuple(
    f"extract(epoch FROM {name})::float8" if name.endswith("_at") else name
    for name in (*Row._fields[:9], "duration_s::float8", *Row._fields[10:-1], "more::text")
)
_BEGIN: Final = f"""
BEGIN READ ONLY;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
DECLARE page CURSOR FOR SELECT {", ".join(_EPOCH)} FROM calls ORDER BY ended_at, id
"""
_FETCH: Final = f"FETCH {ROWS_AT_ONCE} FROM page"
T = TypeVar("T")


class PostgresLedger:
    """One connection (see `Ledger`). Makes the tables if they are not there. RemoteError.

    `limit_s`: how long it waits for one answer.
    """

    rows_at_once = ROWS_AT_ONCE

    def __init__(self, url: PostgresUrl, limit_s: float = LIMIT_S) -> None:
        self._connection: Connection | None = None
        self._connection = self._guarded(lambda _: connect(url, limit_s))
        try:
            self._guarded(lambda connection: ensure(connection, url))
        except RemoteError:
            self.close()
            raise

    def known(self, switchboard: str, key: str) -> Known | None:
        """As in `Ledger`."""
        row = self._guarded(lambda connection: connection.execute(_KNOWN, (switchboard, key)).fetchone())
        return Known(Place(*row[:3]), row[3]) if row else None

    def ship(self, rows: Sequence[Row], switchboard: str, now: Known) -> None:
        """As in `Ledger`, in one transaction."""
        place = (switchboard, *now.place, now.is_finished)
        self._guarded(lambda connection: _ship(connection, rows, place), is_about_rows=bool(rows))

    def add(self, rows: Sequence[Row]) -> int:
        """Add those that are not there; return how many these were. RowsRefused."""
        return self._guarded(lambda connection: _add(connection, rows), is_about_rows=True)

    def check(self) -> None:
        """As in `Ledger`."""
        if self._guarded(lambda connection: connection.execute(_CHECK).fetchone()) == (True,):
            raise RemoteError("it is a standby or read-only, and cannot be written", errno.EROFS)

    def pages(self) -> Iterator[list[Row]]:
        """All rows as of this moment, in the order in which the calls ended, ROWS_AT_ONCE at most a time."""
        self._guarded(lambda connection: connection.execute(_BEGIN))
        while rows := self._guarded(lambda connection: connection.execute(_FETCH).fetchall()):
            yield [_row(row) for row in rows]
        self._guarded(lambda connection: connection.execute("COMMIT"))

    def count(self) -> int:
        """How many rows there are."""
        row = self._guarded(lambda connection: connection.execute("SELECT count(*) FROM calls").fetchone())
        return int(row[0]) if row else 0

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection:
            connection.close()

    def _guarded(self, do: Callable[[Any], T], *, is_about_rows: bool = False) -> T:
        try:
            return do(self._connection)
        except LaterSchema as error:
            raise RemoteError(str(error), errno.EPROTO) from error
        except (psycopg.Error, OSError) as error:
            state = getattr(error, "sqlstate", None) or ("22" if isinstance(error, psycopg.DataError) else "")
            if is_about_rows and state.startswith(_NO_ROW):
                raise RowsRefused(str(error).partition("\n")[0][:200]) from error
            number, words = explained(error)
            raise RemoteError(words, number) from error


def _add(connection: Connection, rows: Sequence[Row]) -> int:
    told = to_json([row._asdict() for row in rows]).decode()
    return connection.execute(_ADD, (told,)).rowcount


def _ship(connection: Connection, rows: Sequence[Row], place: Sequence[object]) -> None:
    with connection.transaction():
        if rows:
            _add(connection, rows)
        connection.execute(_MOVE, place)


def _row(values: Sequence[Any]) -> Row:
    return Row._make(
        timestamp(value) if name.endswith("_at") and value is not None else value
        for name, value in zip(Row._fields, values, strict=True)
    )
