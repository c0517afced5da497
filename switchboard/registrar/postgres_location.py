"""A location on PostgreSQL (see `remote.py`). The module needs psycopg, and is imported only where it is used.

Theory. Registrars follow the table of users itself, in the order of its versions. That is right only if versions
become visible in their order, which a sequence does not do: its numbers are given out before the commits, and whoever
reads up to 7 while 6 is not committed never sees 6. So `location_put`, the only writer, first locks the one row of
`location_state`, and keeps it to the end of its transaction. Thus versions are given out and committed one batch after
another. The lock is also why its condition, that the version is still the one that the registrar knew, needs no more
than a look. A batch of 64 users costs one round trip and one wait for the disk.

Each batch leaves its last version in `location_marks`, which only grows, and is cut to the last MARKS_KEPT. A follower
looks for the mark that it has seen last. If that is gone, it has been away for long, or the server is another one, or
an earlier one that was restored: all users are read anew. Versions grow with the server's time, so what such a server
has written since is found to be later, too.
"""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from switchboard.postgres.connection import Connection
from switchboard.postgres.schema import REVISION, ensure
from switchboard.postgres.session import Session
from switchboard.postgres.url import PostgresUrl
from switchboard.registrar.remote import ABSENT, Answer, Followed, Kept, Outcome, Put

USERS_AT_ONCE: Final = 500
"""That are read in one step."""
MARKS_KEPT: Final = 10_000
TIDIED_EVERY_S: Final = 10.0
ROOM_BYTES: Final = 65_536
"""So much has to be written before a server counts as one that can be written."""
CLOCK_DOUBT_S: Final = 2.0
_CLOCK: Final = "extract(epoch FROM clock_timestamp())::float8"
_PUT: Final = (
    f"SELECT {_CLOCK}, * FROM location_put(%s, %s::bytea[], %s::bigint[], %s::float8[], %s::bytea[])"
)
_CHECK: Final = """
INSERT INTO location_state AS s (last, room) VALUES (0, %s) ON CONFLICT (alone) DO UPDATE SET room = excluded.room
"""
_BEGIN: Final = (
    "INSERT INTO location_state (last) VALUES (0) ON CONFLICT DO NOTHING",
    "INSERT INTO location_marks SELECT last FROM location_state ON CONFLICT DO NOTHING",
)
_LAST: Final = f"SELECT last, {_CLOCK} FROM location_state"
_FOLLOW: Final = f"""
SELECT {_CLOCK}, s.last, EXISTS (SELECT FROM location_marks WHERE version = %(mark)s),
    (SELECT max(version_num) FROM alembic_version), u.name, u.version, u.record
FROM location_state s LEFT JOIN LATERAL (
    SELECT name, version, record FROM location_users
    WHERE version > %(place)s AND version <= s.last AND writer <> %(writer)s ORDER BY version LIMIT {USERS_AT_ONCE}
) u ON true
"""
_PAGE: Final = f"""
SELECT name, version, record FROM location_users
WHERE name > %s AND ends_at > clock_timestamp() ORDER BY name LIMIT {USERS_AT_ONCE}
"""
_TIDY: Final = (
    """DELETE FROM location_users WHERE name IN (
        SELECT name FROM location_users WHERE ends_at < clock_timestamp() LIMIT 5000 FOR UPDATE SKIP LOCKED)""",
    f"""DELETE FROM location_marks WHERE version < (
        SELECT version FROM location_marks ORDER BY version DESC OFFSET {MARKS_KEPT} LIMIT 1)""",
)
_SAFETY: Final = """
SELECT current_setting('fsync'), current_setting('full_page_writes'),
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
    coalesce(inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1', true)
"""


class PostgresLocation:
    """Where it is. `clock`: epoch s of ours."""

    def __init__(self, url: PostgresUrl, clock: Callable[[], float]) -> None:
        self.url = url
        self.clock = clock
        self.writer = os.urandom(8).hex()

    def connect(self) -> "PostgresRemote":
        """Return one that connects at its first call, and again after each error."""
        return PostgresRemote(self)


class PostgresRemote:
    """One connection (see `Remote`)."""

    def __init__(self, location: PostgresLocation) -> None:
        self.ahead_s = 0.0
        self.foreign = 0
        self._location = location
        self._session = Session(location.url)
        self._place: int | None = None  # in the order of versions: what is up to here is known
        self._mark = 0
        self._tidied_at = location.clock()

    def check(self) -> None:
        """As in `Remote`; makes the tables if they are not there."""
        self._session.run(self._check)

    def put(self, puts: Sequence[Put]) -> list[Outcome]:
        """As in `Remote`, in one statement."""
        if not puts:
            return []
        columns = zip(
            *((_octets(each.user), each.version, each.left_s, each.record) for each in puts), strict=True
        )
        values = [self._location.writer, *map(list, columns)]
        before = self._location.clock()
        rows = self._session.run(lambda connection: connection.execute(_PUT, values, binary=True).fetchall())
        self._look_at_clock(rows[0][0], before)
        return [_outcome(put, *row[2:]) for put, row in zip(puts, rows, strict=True)]

    def ask(self, puts: Sequence[Put], within_s: float) -> Answer:  # noqa: ARG002
        """As in `Remote`: a commit waits for the disk."""
        return partial(self.put, puts)

    def begin(self) -> None:
        """As in `Remote`."""
        self._place = self._mark = self._session.run(self._begin)

    def load(self) -> Iterator[list[Kept]]:
        """As in `Remote`, by name."""
        after = b""
        while rows := self._page(after):
            yield [Kept(_text(name), version, record) for name, version, record in rows]
            after = rows[-1][0]

    def follow(self) -> Followed:
        """As in `Remote`."""
        if self._place is None:
            raise self._session.error("nobody has begun to follow it", errno.EINVAL)
        now_at = self._location.clock()
        if not 0 <= now_at - self._tidied_at < TIDIED_EVERY_S:
            self._tidied_at = now_at
            self._session.run(_tidy)
        wanted = {"mark": self._mark, "place": self._place, "writer": self._location.writer}
        before = self._location.clock()
        rows = self._session.run(
            lambda connection: connection.execute(_FOLLOW, wanted, binary=True).fetchall()
        )
        if not rows:
            return Followed([], is_lost=True)
        return self._followed(rows, before)

    def is_known(self) -> bool:
        """As in `Remote`."""
        return self._place is not None

    def doubts(self) -> list[tuple[str, str]]:
        """As in `Remote`."""
        self.check()
        self.begin()
        [(fsync, pages, is_encrypted, is_here)] = self._session.run(
            lambda connection: connection.execute(_SAFETY).fetchall()
        )
        return list(_doubts(fsync, pages, is_encrypted, is_here, self.ahead_s))

    def close(self) -> None:
        """As in `Remote`."""
        self._session.close()

    def _check(self, connection: Connection) -> None:
        ensure(connection, self._location.url)
        connection.execute(_CHECK, (os.urandom(ROOM_BYTES),))

    def _begin(self, connection: Connection) -> int:
        for each in _BEGIN:
            connection.execute(each)
        before = self._location.clock()
        [(last, now_at)] = connection.execute(_LAST).fetchall()
        self._look_at_clock(now_at, before)
        return int(last)

    def _page(self, after: bytes) -> list[Any]:
        return self._session.run(
            lambda connection: connection.execute(_PAGE, (after,), binary=True).fetchall()
        )

    def _followed(self, rows: list[Any], before: float) -> Followed:
        now_at, last, is_marked, revision = rows[0][:4]
        self._look_at_clock(now_at, before)
        if revision != REVISION:
            raise self._session.error(f"its tables are of revision {revision}, not {REVISION}", errno.EPROTO)
        if not is_marked:
            return Followed([], is_lost=True)
        changes = [
            Kept(_text(name), version, record) for *_, name, version, record in rows if name is not None
        ]
        if len(changes) == USERS_AT_ONCE:
            self._place = changes[-1].version
        else:
            self._place = self._mark = last
        return Followed(changes)

    def _look_at_clock(self, server_at: float, before: float) -> None:
        self.ahead_s = server_at - (before + self._location.clock()) / 2


def _outcome(put: Put, is_done: bool, version: int, record: bytes | None) -> Outcome:
    if is_done:
        return Outcome(True, Kept(put.user, version, put.record))
    return Outcome(False, Kept(put.user, version or ABSENT, record or b""))


def _tidy(connection: Connection) -> None:
    for each in _TIDY:
        connection.execute(each)


def _doubts(
    fsync: str, pages: str, is_encrypted: bool, is_here: bool, ahead_s: float
) -> Iterator[tuple[str, str]]:
    if fsync != "on" or pages != "on":
        yield "without fsync and full_page_writes a power failure damages the database", "set both to on"
    if not (is_encrypted or is_here):
        yield "the connection is not encrypted", "add ?sslmode=verify-full to the URL, and TLS to the server"
    if abs(ahead_s) >= CLOCK_DOUBT_S:
        yield f"its clock differs from ours by {abs(ahead_s):.0f} s", "let both follow a time server"


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")
