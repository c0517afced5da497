"""Records on PostgreSQL (see `storage/shared_records.py`). The module needs psycopg, and is imported only where used.

Theory. Who changes records locks the one row of the table's state first, so numbers are committed in their order. Each
change leaves its last number among the marks, by which a follower sees that this is still the database that it has
followed.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic

from switchboard.postgres.connection import Connection
from switchboard.postgres.schema import REVISION, ensure
from switchboard.postgres.session import Session
from switchboard.postgres.url import PostgresUrl
from switchboard.storage.record_store import Table
from switchboard.storage.records import NOTHING, R, Was
from switchboard.storage.shared_records import News

MARKS_KEPT: Final = 1000
MERGED_AT_ONCE: Final = 500


class Statements:
    """What is asked of the tables NAME, NAME_state and NAME_marks."""

    def __init__(self, table: Table[Any]) -> None:
        name, key = table.name, f'"{table.key}"'
        columns = [f'"{each}"' for each in table.columns]
        values = ", ".join(["%s"] * len(columns))
        changed = ", ".join(f"{each} = excluded.{each}" for each in columns if each != key)
        self.state = f"INSERT INTO {name}_state (series, number) VALUES (%s, 0) ON CONFLICT DO NOTHING"
        self.lock = (
            "SELECT greatest(number, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) "
            f"FROM {name}_state FOR UPDATE"
        )
        self.touch = f"UPDATE {name}_state SET number = number"
        self.since = f"""
SELECT s.series, s.number, s.known, {", ".join(f"u.{each}" for each in columns)}
FROM (
    SELECT series, number, series = %(series)s AND (
        %(number)s = 0 OR EXISTS (SELECT FROM {name}_marks m WHERE m.number = %(number)s)) AS known,
        (SELECT max(version_num) FROM alembic_version) AS revision
    FROM {name}_state
) s LEFT JOIN LATERAL (
    SELECT * FROM {name} r WHERE (NOT s.known OR r.number > %(number)s) AND r.number <= s.number
) u ON true WHERE s.revision = %(revision)s ORDER BY u.number
"""
        self.there = f"SELECT {key}, changed_at, \"{table.content}\" != '' FROM {name} WHERE {key} = ANY(%s)"
        self.put = f"""
INSERT INTO {name} ({", ".join(columns)}) VALUES ({values}) ON CONFLICT ({key}) DO UPDATE SET {changed}
"""
        self.tell = f"UPDATE {name}_state SET number = %s"
        self.mark = f"INSERT INTO {name}_marks VALUES (%s)"
        self.trim = f"""
DELETE FROM {name}_marks WHERE number < (
    SELECT number FROM {name}_marks ORDER BY number DESC OFFSET {MARKS_KEPT} LIMIT 1)
"""


class PostgresRecords(Generic[R]):
    """See `RemoteRecords`."""

    def __init__(self, table: Table[R], url: PostgresUrl) -> None:
        self._table = table
        self._statements = Statements(table)
        self._session = Session(url)

    def check(self) -> None:
        """As in `RemoteRecords`; makes the tables if they are not there."""
        self._session.run(self._check)

    def since(self, series: str, number: int) -> News[R]:
        """As in `RemoteRecords`."""
        wanted = {"series": series, "number": number, "revision": REVISION}
        since = self._statements.since
        rows = self._session.run(lambda connection: connection.execute(since, wanted).fetchall())
        if not rows:  # somebody has emptied the tables, or they are of another revision
            self.check()
            return self.since(series, number)
        name, last, is_known = rows[0][:3]
        records = [self._table.make(*row[3:]) for row in rows if row[3] is not None]
        return News(name, last, records, not is_known)

    def write(self, records: Sequence[R]) -> Mapping[str, Was]:
        """As in `RemoteRecords`."""
        return self._session.run(lambda connection: self._write(connection, records, is_merged=False))

    def merge(self, records: Sequence[R]) -> int:
        """As in `RemoteRecords`."""
        return sum(
            self._merge(records[at : at + MERGED_AT_ONCE]) for at in range(0, len(records), MERGED_AT_ONCE)
        )

    def close(self) -> None:
        """As in `RemoteRecords`."""
        self._session.close()

    def _merge(self, records: Sequence[R]) -> int:
        before = self._session.run(lambda connection: self._write(connection, records, is_merged=True))
        return sum(each.changed_at > before.get(each.key, NOTHING).changed_at for each in records)

    def _check(self, connection: Connection) -> None:
        ensure(connection, self._session.url)
        connection.execute(self._statements.state, (os.urandom(8).hex(),))
        connection.execute(self._statements.touch)

    def _write(self, connection: Connection, records: Sequence[R], is_merged: bool) -> Mapping[str, Was]:
        """Write them, those that are later only if `is_merged`; what those were that were there."""
        statements = self._statements
        with connection.transaction(), connection.cursor() as cursor:
            [(number,)] = cursor.execute(statements.lock).fetchall()
            found: list[Any] = cursor.execute(statements.there, ([each.key for each in records],)).fetchall()
            before = {key: Was(changed_at, is_there) for key, changed_at, is_there in found}
            rows = [
                (number + place, *list(record)[1:])
                for place, record in enumerate(records, 1)
                if not is_merged or record.changed_at > before.get(record.key, NOTHING).changed_at
            ]
            if rows:
                cursor.executemany(statements.put, rows)
                for statement in (statements.tell, statements.mark):
                    cursor.execute(statement, (rows[-1][0],))
                cursor.execute(statements.trim)
        return before
