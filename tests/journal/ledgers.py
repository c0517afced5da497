"""A database in memory, for tests of what ships into it."""

import errno
from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from switchboard.journal.ledger import Known, RowsRefused
from switchboard.journal.row import Row
from switchboard.storage.unusable import RemoteError


class Crash(BaseException):
    """The shipper's process was killed here."""


class Trouble(NamedTuple):
    """What happens to a transaction: `error` is raised, before it is committed or behind that."""

    error: BaseException
    is_committed: bool


AWAY = RemoteError("connection refused", errno.ECONNREFUSED)


class MemoryDatabase:
    """What is durable. `refuses`: whether it cannot store a row. `troubles`: of the next transactions."""

    def __init__(self, refuses: Callable[[Row], bool] = lambda _: False) -> None:
        self.rows: dict[UUID, Row] = {}
        self.known: dict[tuple[str, str], Known] = {}
        self.shipped = 0
        self.is_away = False
        self.troubles: list[Trouble] = []
        self._refuses = refuses

    def connect(self) -> "MemoryLedger":
        if self.is_away:
            raise AWAY
        return MemoryLedger(self)

    def commit(self, rows: Sequence[Row], switchboard: str, now: Known) -> None:
        if any(map(self._refuses, rows)):
            raise RowsRefused("it is odd")
        trouble = self.troubles.pop() if self.troubles else None
        if trouble and not trouble.is_committed:
            raise trouble.error
        for row in rows:
            self.rows.setdefault(row.id, row)
        self.known[switchboard, now.place.key] = now
        self.shipped += len(rows)
        if trouble:
            raise trouble.error


class MemoryLedger:
    """A connection to it."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def known(self, switchboard: str, key: str) -> Known | None:
        self.check()
        return self._database.known.get((switchboard, key))

    def ship(self, rows: Sequence[Row], switchboard: str, now: Known) -> None:
        self.check()
        self._database.commit(rows, switchboard, now)

    def check(self) -> None:
        if self._database.is_away:
            raise AWAY

    def close(self) -> None:
        """Nothing is open."""
