"""What one user of a database has of it: a connection that is made when it is needed, and anew after each error.

The module needs psycopg, and is imported only where it is used.
"""

import errno
import select
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import psycopg

from switchboard.postgres.connection import Connection, connect, explained
from switchboard.postgres.schema import LaterSchema
from switchboard.postgres.url import PostgresUrl
from switchboard.storage.unusable import RemoteError

T = TypeVar("T")


class Session:
    """For one thread."""

    def __init__(self, url: PostgresUrl) -> None:
        self.url = url
        self._connection: Connection | None = None

    def run(self, act: Callable[[Connection], T]) -> T:
        """What `act` makes of the connection. RemoteError, within some seconds; the connection is closed then."""
        if self._connection is not None and _was_told(self._connection):
            self.close()
        try:
            if self._connection is None:
                self._connection = connect(self.url)
            return act(self._connection)
        except LaterSchema as error:
            raise self.error(str(error), errno.EPROTO) from error
        except (psycopg.Error, OSError) as error:
            number, text = explained(error)
            raise self.error(text, number) from error

    def error(self, text: str, number: int) -> RemoteError:
        """To be raised; the next `run` connects anew."""
        self.close()
        return RemoteError(f"{self.url.shown}: {text}", number)

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error, OSError):
                connection.close()


def _was_told(connection: Connection) -> bool:
    """Whether something has come that nobody has asked for: nearly always the end of the connection."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
