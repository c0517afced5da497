"""Users on PostgreSQL (see `shared_users.py`). The module needs psycopg, and is imported only where it is used.

Who changes users locks the one row of `users_state` first, so numbers are committed in their order. Each change leaves
its last number in `users_marks`, by which a follower sees that this is still the database that it has followed.
"""

import os
from collections.abc import Sequence
from typing import Any, Final

from switchboard.auth.shared_users import News
from switchboard.auth.users import Entry, Record
from switchboard.postgres.connection import Connection
from switchboard.postgres.schema import REVISION, ensure
from switchboard.postgres.session import Session
from switchboard.postgres.url import PostgresUrl

MARKS_KEPT: Final = 1000
MERGED_AT_ONCE: Final = 500
_STATE: Final = "INSERT INTO users_state (series, number) VALUES (%s, 0) ON CONFLICT DO NOTHING"
_LOCK: Final = """
SELECT greatest(number, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) FROM users_state FOR UPDATE
"""
_TOUCH: Final = "UPDATE users_state SET number = number"
_SINCE: Final = """
SELECT s.series, s.number, s.known, u.number, u."user", u.realm, u.sha256, u.md5, u.changed_at
FROM (
    SELECT series, number, series = %(series)s AND (
        %(number)s = 0 OR EXISTS (SELECT FROM users_marks WHERE users_marks.number = %(number)s)) AS known,
        (SELECT max(version_num) FROM alembic_version) AS revision
    FROM users_state
) s LEFT JOIN LATERAL (
    SELECT * FROM users WHERE (NOT s.known OR users.number > %(number)s) AND users.number <= s.number
) u ON true WHERE s.revision = %(revision)s ORDER BY u.number
"""
_THERE: Final = 'SELECT "user", changed_at, sha256 FROM users WHERE "user" = ANY(%s)'
_PUT: Final = """
INSERT INTO users (number, "user", realm, sha256, md5, changed_at) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT ("user") DO UPDATE SET number = excluded.number, realm = excluded.realm, sha256 = excluded.sha256,
    md5 = excluded.md5, changed_at = excluded.changed_at
"""
_TELL: Final = "UPDATE users_state SET number = %s"
_MARK: Final = "INSERT INTO users_marks VALUES (%s)"
_TRIM: Final = f"""
DELETE FROM users_marks WHERE number < (
    SELECT number FROM users_marks ORDER BY number DESC OFFSET {MARKS_KEPT} LIMIT 1)
"""


class PostgresUsers:
    """See `RemoteUsers`."""

    def __init__(self, url: PostgresUrl) -> None:
        self._session = Session(url)

    def check(self) -> None:
        """As in `RemoteUsers`; makes the tables if they are not there."""
        self._session.run(self._check)

    def since(self, series: str, number: int) -> News:
        """As in `RemoteUsers`."""
        wanted = {"series": series, "number": number, "revision": REVISION}
        rows = self._session.run(lambda connection: connection.execute(_SINCE, wanted).fetchall())
        if not rows:  # somebody has emptied the tables, or they are of another revision
            self.check()
            return self.since(series, number)
        name, last, is_known = rows[0][:3]
        return News(name, last, [Record(*row[3:]) for row in rows if row[3] is not None], not is_known)

    def put(self, entries: Sequence[Entry], now_at: float) -> int:
        """As in `RemoteUsers`."""
        records = [Record(0, *entry, now_at) for entry in entries]
        there = self._session.run(lambda connection: _write(connection, records, is_merged=False))
        return sum(not there.get(each.user, _NOBODY)[1] for each in entries)

    def remove(self, user: str, now_at: float) -> bool:
        """As in `RemoteUsers`."""
        gone = Record(0, user, "", "", "", now_at)
        there = self._session.run(lambda connection: _write(connection, [gone], is_merged=False))
        return bool(there.get(user, _NOBODY)[1])

    def merge(self, records: Sequence[Record]) -> int:
        """As in `RemoteUsers`."""
        return sum(
            self._merge(records[at : at + MERGED_AT_ONCE]) for at in range(0, len(records), MERGED_AT_ONCE)
        )

    def close(self) -> None:
        """As in `RemoteUsers`."""
        self._session.close()

    def _merge(self, records: Sequence[Record]) -> int:
        there = self._session.run(lambda connection: _write(connection, records, is_merged=True))
        return sum(each.changed_at > there.get(each.user, _NOBODY)[0] for each in records)

    def _check(self, connection: Connection) -> None:
        ensure(connection, self._session.url)
        connection.execute(_STATE, (os.urandom(8).hex(),))
        connection.execute(_TOUCH)


_NOBODY: Final = 0.0, ""


def _write(
    connection: Connection, records: Sequence[Record], is_merged: bool
) -> dict[str, tuple[float, str]]:
    """Write them, those that are later only if `is_merged`; when those were changed that were there, and their HA1."""
    with connection.transaction(), connection.cursor() as cursor:
        [(number,)] = cursor.execute(_LOCK).fetchall()
        found: list[Any] = cursor.execute(_THERE, ([each.user for each in records],)).fetchall()
        there = {user: (changed_at, sha256) for user, changed_at, sha256 in found}
        rows = [
            (number + place, *record[1:])
            for place, record in enumerate(records, 1)
            if not is_merged or record.changed_at > there.get(record.user, _NOBODY)[0]
        ]
        if rows:
            cursor.executemany(_PUT, rows)
            for statement in (_TELL, _MARK):
                cursor.execute(statement, (rows[-1][0],))
            cursor.execute(_TRIM)
    return there
