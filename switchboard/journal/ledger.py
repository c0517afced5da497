"""The interface to a database that others run, into which the records of calls are shipped (docs/JOURNAL.md)."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from switchboard.journal.row import Row
from switchboard.journal.spool import Place


class RowsRefused(Exception):
    """The database can be used, and takes none of these rows, since it cannot store one of them; for people."""


class Known(NamedTuple):
    """What the database knows of a file: what of it is there. `is_finished`: all, and it grows no more."""

    place: Place
    is_finished: bool


class Ledger(Protocol):
    """One connection to a database, for one thread. Whatever fails raises RemoteError, within some seconds."""

    def known(self, switchboard: str, key: str) -> Known | None:
        """What the database knows of the file with this key of that switchboard."""

    def ship(self, rows: Sequence[Row], switchboard: str, now: Known) -> None:
        """Add those that are not there, and remember the place: both, durably, or neither. RowsRefused."""

    def check(self) -> None:
        """See whether it can be written."""

    def close(self) -> None:
        """Let go of the connection."""
