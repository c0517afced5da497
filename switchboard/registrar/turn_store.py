"""Whose turn it is in groups, as the first registrar keeps it (SQLite, `core/turns.py`): numbers by names.

A commit may be lost with the machine, not with the process: a turn is not worth the wait for a disk.
"""

import errno
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from switchboard.storage.database import Schema, transaction
from switchboard.storage.mending import Plan
from switchboard.storage.rescue import Row
from switchboard.storage.unusable import UnusableFile
from switchboard.storage.writing import Writing, error_number

_PUT: Final = "INSERT OR REPLACE INTO turns VALUES (?, ?)"
_ERASE: Final = "DELETE FROM turns WHERE name = ?"


class TurnStoreError(UnusableFile):
    """The file cannot be used; the text tells people why and what to do."""


def _turn_in(row: Row) -> Sequence[Any] | None:
    match row:
        case _, [str(name), int() | float() as number]:
            return name, float(number)
    return None


SCHEMA: Final = Schema(
    "The store of turns",
    1,
    "use the program that wrote it, or delete the file: groups begin with their first members again.",
    TurnStoreError,
    Plan(
        "CREATE TABLE IF NOT EXISTS turns (name TEXT PRIMARY KEY, number REAL NOT NULL) WITHOUT ROWID;",
        {_PUT: _turn_in},
        "some groups begin with their first members again",
    ),
    synchronous="NORMAL",
)


class TurnStore:
    """The owner's end. TurnStoreError if the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self.writing = Writing("whose turn it is in groups", "it is remembered as long as this process runs")
        self._unwritten: dict[str, float | None] = {}
        SCHEMA.examine(path)
        self._database = SCHEMA.open(path)
        self._database.execute("PRAGMA busy_timeout = 0")  # the registrar does not stand still for it

    def read(self) -> dict[str, float]:
        """All numbers by their names."""
        return dict(self._database.execute("SELECT name, number FROM turns ORDER BY number"))

    def put(self, changes: Mapping[str, float | None]) -> None:
        """Let these be written by the next `write`; None: it is forgotten."""
        self._unwritten |= changes

    def write(self) -> None:
        """Write what was put; what cannot be written now is written later."""
        if not self._unwritten:
            return
        kept = [(name, number) for name, number in self._unwritten.items() if number is not None]
        gone = [(name,) for name, number in self._unwritten.items() if number is None]
        try:
            with transaction(self._database):
                self._database.executemany(_PUT, kept)
                self._database.executemany(_ERASE, gone)
        except sqlite3.Error as error:
            self.writing.failed(error_number(error) or errno.EIO)
            return
        self._unwritten.clear()
        self.writing.worked()

    def close(self) -> None:
        """Write what is left, and let go of the file."""
        self.write()
        self._database.close()
