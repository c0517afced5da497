"""Whose turn it is in groups, as the first registrar keeps it (SQLite, `core/turns.py`): numbers by names.

A commit may be lost with the machine, not with the process: a turn is not worth the wait for a disk.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from switchboard.storage.database import Schema
from switchboard.storage.mending import Plan
from switchboard.storage.owned_file import OwnedFile
from switchboard.storage.rescue import Row
from switchboard.storage.unusable import NotWritten, UnusableFile
from switchboard.storage.writing import Writing

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


class TurnStore(OwnedFile):
    """The owner's end."""

    def __init__(self, path: Path) -> None:
        """TurnStoreError if the file cannot be used."""
        self._unwritten: dict[str, float | None] = {}
        meanwhile = "it is remembered as long as this process runs"
        super().__init__(path, SCHEMA, Writing("whose turn it is in groups", meanwhile))

    def read(self) -> dict[str, float]:
        """All numbers by their names."""
        with SCHEMA.explained(self._path):
            return dict(self._database.execute("SELECT name, number FROM turns ORDER BY number"))

    def put(self, changes: Mapping[str, float | None]) -> None:
        """Let these be written by the next `write`; None: it is forgotten."""
        self._unwritten |= changes

    def write(self) -> None:
        """Write what was put; what cannot be written now is written later."""
        if self.writing.error:
            self.try_again()
        if not self._unwritten:
            return
        kept = [(name, number) for name, number in self._unwritten.items() if number is not None]
        gone = [(name,) for name, number in self._unwritten.items() if number is None]
        with suppress(NotWritten):
            with self._change():
                self._database.executemany(_PUT, kept)
                self._database.executemany(_ERASE, gone)
            self._unwritten.clear()

    def close(self) -> None:
        """Write what is left, and let go of the file."""
        self.write()
        super().close()
