"""A SQLite file that one process owns, and nobody else's eyes may see: opened, changed, and tried again (I/O rim).

While it cannot be written, nothing is changed, and `try_again` finds out when it can be. If it was taken away, it is
made again of what is open: nobody would find what is written to that.
"""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from switchboard.storage.database import Schema, file_at, transaction
from switchboard.storage.restoring import take_restored
from switchboard.storage.secret import make_private
from switchboard.storage.unusable import NotWritten, UnusableFile
from switchboard.storage.writing import Writing, error_number, words_of

ROOM_BYTES: Final = 64_000
"""This amount has to be written before writing counts as possible again."""
LOCK_S: Final = 0.25
"""A change waits this long for the lock of another program; there should be no such program."""


class OwnedFile:
    """The owner's end. `writing` tells whether it can be written."""

    def __init__(self, path: Path, schema: Schema, writing: Writing) -> None:
        """Open the file, or make it; what is damaged of it is mended. `schema.error` if it cannot be used."""
        self.writing = writing
        self.was_exposed = False
        """Whether others could read the file until now."""
        self._path = path
        self._schema = schema
        self._file = (0, 0)
        self._database = self._open()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _open(self) -> sqlite3.Connection:
        """The file, or while that cannot be opened, what it holds."""
        try:
            return self._connect()
        except UnusableFile as error:
            if not (error.__cause__ and self._schema.is_for_now(error)):
                raise
            try:
                database = self._schema.open_copy(self._path)
            except UnusableFile:
                raise error from error.__cause__
            self.writing.failed(error_number(error.__cause__))
            return database

    def _connect(self) -> sqlite3.Connection:
        with self._schema.explained(self._path):
            take_restored(self._path)
            self.was_exposed = make_private(self._path) or self.was_exposed
            self._schema.examine(self._path)
        database = self._schema.open(self._path)
        database.execute(f"PRAGMA busy_timeout = {LOCK_S * 1000:.0f}")
        self._file = file_at(self._path)
        return database

    def try_again(self) -> None:
        """See whether the file can be written again, which could not be. If it is gone, make it of what is open."""
        is_gone = not self._path.exists()
        try:
            database = self._connect()
            if is_gone:
                self._database.backup(database)
            self._database, before = database, self._database
            before.close()
            database.execute("DROP TABLE IF EXISTS room")
            with transaction(database):  # there has to be room for more than what the next change may be
                database.execute("CREATE TABLE room AS SELECT zeroblob(?)", (ROOM_BYTES,))
            with transaction(database):
                database.execute("DROP TABLE room")
        except (UnusableFile, sqlite3.Error) as error:
            number = error_number(error.__cause__ or error)
            if not number:
                raise
            self.writing.failed(number)
        else:
            self.writing.worked()

    def keep_place(self) -> None:
        """Make the file again if it was taken away: nobody would find what is written to the one that is open."""
        if self._file != file_at(self._path):
            self.writing.failed(errno.ENOENT)
            self.try_again()

    @contextmanager
    def _change(self) -> Iterator[None]:
        """A transaction. NotWritten: nothing has happened."""
        self.keep_place()
        if self.writing.error:
            raise NotWritten(self.writing.note())
        try:
            with transaction(self._database):
                yield
        except (sqlite3.Error, OSError) as error:
            if not (number := error_number(error)):
                raise self._schema.error(
                    f"{self._schema.what} {self._path} cannot be used: {error}."
                ) from error
            self.writing.failed(number)
            raise NotWritten(
                f"the {self.writing.what} cannot be changed: {words_of(number)} ({self._path})"
            ) from error
