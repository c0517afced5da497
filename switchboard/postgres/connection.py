"""A connection to a PostgreSQL server that is given up within seconds, and what its errors mean to people.

The module needs psycopg, and is imported only where it is used.
"""

import errno
import os
from collections.abc import Generator
from time import monotonic
from typing import Any, Final

import psycopg
from psycopg import errors

from switchboard.postgres.url import PostgresUrl

TIMEOUT_S: Final = 2.0
"""A statement that takes longer has failed: the server ends it then, and we do a bit later if it does not answer."""
_SLACK_S: Final = 0.5
_OPTIONS: Final = " ".join(
    f"-c {each}"
    for each in (
        "idle_in_transaction_session_timeout=10000",
        "default_transaction_isolation=read\\ committed",
        "synchronous_commit=on",
    )
)
"""Of a session. synchronous_commit: what was confirmed is on the server's disk, whatever its default is."""
_COMMON: Final[dict[str, Any]] = {
    "connect_timeout": 2,
    "keepalives_idle": 1,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": int(TIMEOUT_S * 1000),
    "application_name": "switchboard",
    "client_encoding": "utf8",
}
_STATES: Final = {
    "53100": (errno.ENOSPC, "its disk is full"),
    "53200": (errno.ENOMEM, "it is out of memory"),
    "53300": (errno.EAGAIN, "it has no connection left (max_connections)"),
    "25006": (errno.EROFS, "it is a standby or read-only, and cannot be written"),
    "57P01": (errno.ECONNRESET, "it is being shut down"),
    "57P02": (errno.ECONNRESET, "it has crashed, and starts again"),
    "57P03": (errno.EAGAIN, "it is starting, or shutting down"),
    "57014": (errno.ETIMEDOUT, f"no answer within {TIMEOUT_S:g} s"),
    "55P03": (errno.ETIMEDOUT, "another session keeps a lock on our tables"),
    "42501": (errno.EACCES, "the role may not do that (docs/LOCATION.md has the grants)"),
    "28P01": (errno.EACCES, "the user or the password is wrong"),
    "28000": (errno.EACCES, "the user may not log in (pg_hba.conf)"),
    "3D000": (errno.ENOENT, "there is no such database"),
    "3F000": (errno.ENOENT, "our schema is missing"),
    "42P01": (errno.ENOENT, "a table of ours is missing"),
    "42883": (errno.ENOENT, "a function of ours is missing"),
    "58030": (errno.EIO, "it cannot use its disk"),
    "XX001": (errno.EIO, "its data is damaged"),
    "XX002": (errno.EIO, "its data is damaged"),
}
"""By SQLSTATE: the system's error that is most like it, and what to tell people."""
_CONNECTING: Final = (
    ("password authentication failed", "28P01"),
    ("no password supplied", "28P01"),
    ("no pg_hba.conf entry", "28000"),
    ("too many clients", "53300"),
    ("remaining connection slots", "53300"),
    ("starting up", "57P03"),
    ("not yet accepting connections", "57P03"),
    ("shutting down", "57P03"),
    ("recovery mode", "57P03"),
    ("session is read-only", "25006"),
    ("server is in hot standby mode", "25006"),
    ("No space left on device", "53100"),
)
"""While one connects, libpq has nothing but text; in other languages the text itself has to do."""
_SYSTEM: Final = (
    ("server closed the connection", errno.ECONNRESET),
    ("Connection refused", errno.ECONNREFUSED),
    ("No such file or directory", errno.ENOENT),
    ("No route to host", errno.EHOSTUNREACH),
    ("Network is unreachable", errno.ENETUNREACH),
    ("Permission denied", errno.EACCES),
)


class Connection(psycopg.Connection[Any]):
    """One that waits for each answer only so long: a server that hangs acknowledges packets, and says nothing."""

    limit_s = TIMEOUT_S

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """As psycopg's. TimeoutError: the connection is closed, the statement may be in force."""
        try:
            return super().wait(_within(gen, self.limit_s + _SLACK_S), *args, **kwargs)
        except TimeoutError:
            self.pgconn.finish()
            raise


def _within(gen: Any, limit_s: float) -> Generator[Any, Any, Any]:
    """psycopg sends something every 0.1 s, also if there is nothing to be read."""
    until = monotonic() + limit_s
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and monotonic() >= until:
                raise TimeoutError
            wanted = gen.send(ready)
    except StopIteration as end:
        return end.value


def connect(url: PostgresUrl, limit_s: float = TIMEOUT_S) -> Connection:
    """A connection in autocommit mode, whose unqualified names are those of our schema.

    `limit_s`: how long a statement may take; three quarters of it waiting for a lock.
    psycopg.Error, OSError; `explained` has their meaning. The password file is read each time, so it may change.
    """
    parameters: dict[str, Any] = _COMMON | {"dbname": "switchboard", "user": "switchboard"} | url.parameters
    if url.password_file:
        parameters["password"] = url.password_file.read_text().strip()
    limits = f"-c statement_timeout={limit_s * 1000:.0f} -c lock_timeout={limit_s * 750:.0f}"
    options = f"{_OPTIONS} {limits} -c search_path={url.schema}"
    connection = Connection.connect(**parameters, options=options, autocommit=True)
    connection.limit_s = limit_s
    return connection


def explained(error: Exception) -> tuple[int, str]:
    """Of psycopg's errors and the system's: the number of the system's error that is most like it; words for people."""
    if isinstance(error, OSError) and error.errno:
        named = f" ({error.filename})" if error.filename else ""
        return error.errno, os.strerror(error.errno) + named
    if isinstance(error, (TimeoutError, errors.ConnectionTimeout)):
        return errno.ETIMEDOUT, f"no answer within {TIMEOUT_S:g} s"
    text = _first_line(error)
    state = getattr(error, "sqlstate", None) or next((each for word, each in _CONNECTING if word in text), "")
    if state in _STATES:
        number, words = _STATES[state]
        return number, words if state[:2] != "42" else f"{words}: {text}"
    number = next((each for word, each in _SYSTEM if word in str(error)), 0)
    return (number, os.strerror(number)) if number else (errno.EHOSTUNREACH, text)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
