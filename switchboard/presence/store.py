"""What the presence worker keeps on the disk (SQLite): packed records by names. A write is durable, or nothing is."""

import errno
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from switchboard.storage.database import Schema, file_at, transaction
from switchboard.storage.mending import Plan
from switchboard.storage.rescue import Row
from switchboard.storage.secret import make_private
from switchboard.storage.unusable import NotWritten, UnusableFile
from switchboard.storage.writing import Writing, error_number

_PUT: Final = "INSERT OR REPLACE INTO records VALUES (?, ?)"
_ERASE: Final = "DELETE FROM records WHERE name = ?"


class PresenceError(UnusableFile):
    """The file cannot be used; the text tells people why and what to do."""


def _record_in(row: Row) -> Sequence[Any] | None:
    match row:
        case _, [str(name), bytes(packed)]:
            return name, packed
    return None


SCHEMA: Final = Schema(
    "The store of presence",
    1,
    "use the program that wrote it, or delete the file: phones subscribe and publish again.",
    PresenceError,
    Plan(
        "CREATE TABLE IF NOT EXISTS records (name TEXT PRIMARY KEY, packed BLOB NOT NULL) WITHOUT ROWID;",
        {_PUT: _record_in},
        "phones subscribe and publish again when theirs have expired",
    ),
)


class PresenceStore:
    """The owner's end. PresenceError if the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self.writing = Writing("subscriptions and publications", "new ones are refused with 503")
        self._path = path
        self._database = self._open()

    def _open(self) -> sqlite3.Connection:
        with SCHEMA.explained(self._path):
            make_private(self._path)
            SCHEMA.examine(self._path)
        database = SCHEMA.open(self._path)
        self._file = file_at(self._path)
        return database

    def read(self) -> Iterator[tuple[str, bytes]]:
        """All records, by name."""
        with SCHEMA.explained(self._path):
            yield from self._database.execute("SELECT name, packed FROM records ORDER BY name")

    def write(self, changes: Mapping[str, bytes | None]) -> None:
        """Keep these records; None: let them go. Durable when this returns. NotWritten: nothing has happened."""
        if not changes:
            return
        try:
            if self._file != file_at(self._path):
                raise OSError(errno.ENOENT, "it was taken away")
            self._write(changes)
        except (sqlite3.Error, OSError) as error:
            if not (number := error_number(error)):
                raise PresenceError(f"{SCHEMA.what} {self._path} cannot be used: {error}.") from error
            self.writing.failed(number)
            raise NotWritten(self.writing.note()) from error
        self.writing.worked()

    def _write(self, changes: Mapping[str, bytes | None]) -> None:
        with transaction(self._database):
            self._database.executemany(
                _PUT, [(name, packed) for name, packed in changes.items() if packed is not None]
            )
            self._database.executemany(
                _ERASE, [(name,) for name, packed in changes.items() if packed is None]
            )

    def try_again(self) -> None:
        """See whether it can be written again; a file that was taken away is made anew of what is open."""
        try:
            if self._file != file_at(self._path):
                database = self._open()
                self._database.backup(database)
                self._database, before = database, self._database
                before.close()
            with transaction(self._database):
                self._database.execute(_PUT, ("", b""))
                self._database.execute(_ERASE, ("",))
        except (sqlite3.Error, OSError, PresenceError) as error:
            self.writing.failed(error_number(error.__cause__ or error) or errno.EIO)
        else:
            self.writing.worked()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()
