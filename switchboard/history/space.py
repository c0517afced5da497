"""The disk space of the history: its limit, and how it frees space before others need it.

The limit holds for the file and its write-ahead log together: a part for each, and a single write is small beside
both. The history is optional, so it does not take the last space of a disk: while less than a reserve is free,
nothing is added, and the oldest messages are removed.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from switchboard.history.seen import Seen
from switchboard.storage.image import shm_of, wal_of

RESERVE_BYTES: Final = 100_000_000
RESERVE_PART: Final = 0.05
"""So much of the disk is left to others, or that part of it, whichever is less."""
FILE_PART: Final = 5 / 8
LOG_PART: Final = 1 / 8
AT_ONCE_PART: Final = 1 / 16
"""Of the limit."""
_PAGES_A_CALL: Final = 5
"""That a commit writes at most for a small call: its row, its parcel, three indices."""
_PRAGMAS: Final = """
PRAGMA busy_timeout = 5;
PRAGMA journal_size_limit = {log};
PRAGMA wal_autocheckpoint = {pages};
"""

Messages = Mapping[str, Sequence[Seen]]


class NoRoom(OSError):
    """Others need the disk more, or a reader holds up the log; what is kept stays as it is."""


class Space:
    """Of the history at `path`, which takes `limit` octets at most."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path, self._limit = path, limit
        self._page = 4096
        self._log = int(limit * LOG_PART)
        self._at_once = int(limit * AT_ONCE_PART)

    def prepare(self, database: sqlite3.Connection) -> None:
        """Set up what was opened. Its pages can be given back from now on."""
        (self._page,) = database.execute("PRAGMA page_size").fetchone()
        pages = max(16, self._at_once // self._page)
        database.executescript(_PRAGMAS.format(log=self._log, pages=pages))
        (vacuum,) = database.execute("PRAGMA auto_vacuum").fetchone()
        if vacuum != 2:
            database.executescript("PRAGMA auto_vacuum = INCREMENTAL; VACUUM;")
            self._shorten_log(database)

    def portions(self, messages: Messages) -> Iterator[Messages]:
        """What is to be written at once."""
        most = max(4, self._at_once // (_PAGES_A_CALL * self._page))
        portion: dict[str, Sequence[Seen]] = {}
        octets = 0
        for call_id, seen in messages.items():
            portion[call_id] = seen
            octets += sum(len(each.raw) for each in seen)
            if octets >= self._at_once or len(portion) >= most:
                yield portion
                portion, octets = {}, 0
        if portion:
            yield portion

    def excess(self, database: sqlite3.Connection) -> int:
        """So many octets of what is kept are too much: for the limit, or for the disk."""
        kept = self._kept(database)
        return max(kept - int(self._limit * FILE_PART), min(kept, self.lacking()))

    def lacking(self) -> int:
        """So many octets are free less than have to be left to others; 0: enough is free."""
        disk = os.statvfs(self._path.parent)
        reserve = min(RESERVE_BYTES, int(disk.f_blocks * disk.f_frsize * RESERVE_PART))
        return max(0, reserve - disk.f_bavail * disk.f_frsize)

    def check_log(self, database: sqlite3.Connection) -> None:
        """To be called before something is written. NoRoom: a reader holds the log, which is long enough."""
        if self._log_size() > 2 * self._log:
            self._shorten_log(database)
            if self._log_size() > 2 * self._log:
                raise NoRoom(errno.EBUSY, os.strerror(errno.EBUSY))

    def settle(self, database: sqlite3.Connection) -> None:
        """Give back to the disk what is not needed; to be called after each commit."""
        unused = self._unused(database)
        if unused:
            database.executescript(f"PRAGMA incremental_vacuum({unused});")  # execute() takes one page only
        if unused or self._log_size() > self._log:
            self._shorten_log(database)

    def _unused(self, database: sqlite3.Connection) -> int:
        """How many pages are to be given back."""
        if self.lacking():
            return self._pages(database, "freelist_count")
        more = self._pages(database, "page_count") * self._page - int(self._limit * FILE_PART)
        return more // self._page if more > self._at_once else 0

    def remove(self) -> None:
        """All of it. The disk may be so full that nothing can be deleted from the file."""
        for path in (self._path, wal_of(self._path), shm_of(self._path)):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _kept(self, database: sqlite3.Connection) -> int:
        used = self._pages(database, "page_count") - self._pages(database, "freelist_count")
        return used * self._page

    def _pages(self, database: sqlite3.Connection, pragma: str) -> int:
        return int(database.execute(f"PRAGMA {pragma}").fetchone()[0])

    def _log_size(self) -> int:
        try:
            return wal_of(self._path).stat().st_size
        except FileNotFoundError:
            return 0

    def _shorten_log(self, database: sqlite3.Connection) -> None:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
