"""Whether a worker can write what it keeps, and what it says of itself while its disk is full, broken or locked.

A worker that cannot write goes on, as well as it can, and tries again by itself. Each of its stores has a `Writing`,
which is told how every try ended; the worker's loop makes a line of the log, a note for `status` and two counters
of it (`bus/loop.py`), and metrics, console and doctor know it by these (`survey/reading.py`).
"""

import errno
import os
import sqlite3
import time
from collections.abc import Callable
from typing import Final, Protocol

RETRY_S: Final = 0.25
"""Between two tries of what could not be written: when there is room again, all is written within a second."""
ERROR, FAILURES = "write_error", "write_failures"
"""Names of the counters: the system's number of what is wrong now, 0 for nothing; tries that failed."""
_BY_SQLITE: Final = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EROFS,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_BUSY: errno.EBUSY,
    sqlite3.SQLITE_LOCKED: errno.EBUSY,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_IOERR_SHMSIZE: errno.ENOSPC,  # an index of the log finds no room
}
DISK: Final = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG, errno.ESTALE, errno.ENOENT)
)
"""What a disk can do to a file that is as it should be: worth another try."""
_WORDS: Final = {errno.EBUSY: "locked by another program"}
_PRIMARY: Final = 0xFF
"""Of the codes of SQLite's errors: the part that tells the kind."""


def error_number(error: BaseException) -> int:
    """The system's number of a failure to write (errno); 0: it is another failure, which nobody may pass over.

    SQLite does not tell of a quota that is used up: that is an I/O error with it.
    """
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0)
        return _BY_SQLITE.get(code) or _BY_SQLITE.get(code & _PRIMARY, 0)
    return (error.errno or errno.EIO) if isinstance(error, OSError) else 0


def words_of(number: int) -> str:
    """What such a number means, for people; "" for 0."""
    return _WORDS.get(number, os.strerror(number)) if number else ""


class Writing:
    """How the writing of one store goes. `what` is written, `meanwhile` what happens while it cannot be: for people.

    Owned by the store's owner. `clock`: monotonic s.
    """

    def __init__(self, what: str, meanwhile: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.error = 0
        """The system's number of what is wrong now; 0: nothing."""
        self.failures = 0
        self.what = what
        self._meanwhile = meanwhile
        self._clock = clock
        self._since = 0.0
        self._told = 0
        self._words = ""

    def look(self) -> None:
        """Be up to date; called before it is asked anything."""

    def failed(self, number: int, words: str = "") -> None:
        """A try has failed; `words` say more than the number."""
        if not self.error:
            self._since = self._clock()
        self.error, self._words = number, words
        self.failures += 1

    def worked(self) -> None:
        """All that waited is written."""
        self.error = 0

    def note(self) -> str:
        """For `status`; "" while it can write."""
        return f"up, but {self._cannot()}" if self.error else ""

    def news(self) -> str:
        """What the log is to know since the last time; "" for nothing."""
        if self.error == self._told:
            return ""
        self._told = self.error
        if self.error:
            return self._cannot()
        return f"can write {self.what} again, after {self._clock() - self._since:.0f} s: all of it is written"

    def _cannot(self) -> str:
        words = self._words or words_of(self.error)
        return f"cannot write: {words} ({self.what}); {self._meanwhile}"


class Counting(Protocol):
    """A store that goes on by itself, and keeps count."""

    @property
    def error(self) -> int: ...
    @property
    def failures(self) -> int: ...


class WatchedWriting(Writing):
    """How the writing of a store goes that keeps count by itself."""

    def __init__(
        self, store: Counting, what: str, meanwhile: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(what, meanwhile, clock)
        self._store = store

    def look(self) -> None:
        """Be up to date."""
        if self._store.error:
            self.failed(self._store.error)
        else:
            self.worked()
        self.failures = self._store.failures
