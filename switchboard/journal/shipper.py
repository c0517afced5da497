"""Ships the records of cdr.jsonl into a database, each once, whatever is killed, moved or away meanwhile.

Theory. cdr.jsonl stays the journal's durable place; the database follows it. Rows and the place in the file are
committed in one transaction. So a shipper that ends anywhere goes on behind the last row that is there, and a database
that comes back as it was yesterday gets the rows of today again. Where the place is of no use, rows are shipped again,
which their identity makes harmless.

Files that were rotated come first, oldest first, then cdr.jsonl. While that is open it is followed, whatever its name
is by now. It is left when the journal has begun another one and nothing is left to read. Then everything is looked at
again from the oldest file on: what is finished costs a question.
"""

import zlib
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from lzma import LZMAError

from switchboard.journal.ledger import Known, Ledger, RowsRefused
from switchboard.journal.row import Row
from switchboard.journal.spool import Place, Spool, SpoolFile
from switchboard.storage.unusable import RemoteError

_UNKNOWN = Known(Place("", 0, ""), False)
UNREADABLE = OSError, EOFError, LZMAError, zlib.error


class Shipper:
    """Owns the connection and the files that are open. For one thread, but for `told` and the counts.

    `switchboard`: whose records they are. `warn` is told what was left out, for people.
    """

    def __init__(
        self, spool: Spool, switchboard: str, connect: Callable[[], Ledger], warn: Callable[[str], object]
    ) -> None:
        self.shipped = 0
        """Records that are in the database, some of them perhaps since earlier."""
        self.damaged = 0
        """Lines without a record."""
        self.refused = 0
        """Records that the database cannot store."""
        self._spool, self._switchboard = spool, switchboard
        self._connect, self._warn = connect, warn
        self._ledger: Ledger | None = None
        self._file: SpoolFile | None = None
        self._now = _UNKNOWN
        self._rotated: deque[SpoolFile] = deque()
        self._unreadable: set[int] = set()
        self._seen: frozenset[int] | None = None
        """Inodes of the rotated files that this round is about; None: another one is due."""
        self._is_growing = self._is_counted = False
        self._counts = Counts()

    @property
    def unreadable(self) -> int:
        """Rotated files that cannot be read."""
        return len(self._unreadable)

    @property
    def waiting(self) -> int:
        """Records that are not in the database. Until it was asked where it is: at most."""
        return self._counts.waiting

    def told(self, records: int) -> None:
        """The journal has written so many. Called by its thread."""
        self._counts.told += records

    def step(self) -> bool:
        """Ship a part; whether there is more to do. RemoteError; OSError of cdr.jsonl: try again later."""
        try:
            return self._step(self._connected())
        except RemoteError:
            self._guess()
            self._disconnect()
            raise

    def check(self) -> None:
        """See whether the database is there, while nothing is to be shipped. RemoteError."""
        try:
            self._connected().check()
        except RemoteError:
            self._disconnect()
            raise

    def close(self) -> None:
        """Let go of everything."""
        self._disconnect()
        for each in (self._file, *self._rotated):
            if each:
                each.close()

    def _connected(self) -> Ledger:
        self._ledger = self._ledger or self._connect()
        return self._ledger

    def _disconnect(self) -> None:
        ledger, self._ledger = self._ledger, None
        # it may be another one that answers next, or as it was yesterday
        self._now, self._seen = _UNKNOWN, None
        if ledger:
            ledger.close()

    def _step(self, ledger: Ledger) -> bool:
        file = self._file or self._open_next()
        if file is None:
            self._counts.all_is_shipped()
            return False
        try:
            return self._ship_of(file, ledger)
        except UNREADABLE as error:
            self._leave(file)
            if self._is_growing:
                raise error if isinstance(error, OSError) else OSError(str(error)) from error
            if file.inode not in self._unreadable:
                self._unreadable.add(file.inode)
                self._warn(f"{file.path} cannot be read: {error}. Its records are left out")
            return True

    def _open_next(self) -> SpoolFile | None:
        """The next file of this round, or the first of another one; None if there is none yet."""
        if not self._rotated and self._is_round_due(0):
            self._rotated = deque(self._spool.rotated())
        if self._rotated:
            self._file, self._is_growing = self._rotated.popleft(), False
        else:
            with suppress(FileNotFoundError):
                self._file, self._is_growing = SpoolFile(self._spool.path), True
        return self._file

    def _is_round_due(self, inode: int) -> bool:
        """Whether there are rotated files that this round does not know, but for the one with this inode."""
        found, seen = self._spool.inodes(), self._seen
        if seen is None or found - seen - {inode}:
            self._seen = found if not inode else None
            return True
        self._seen = seen & found
        return False

    def _leave(self, file: SpoolFile) -> None:
        file.close()
        self._file, self._now, self._is_counted = None, _UNKNOWN, False

    def _ship_of(self, file: SpoolFile, ledger: Ledger) -> bool:
        is_final = self._is_final(file)  # before it is read
        if not self._find_place(file, ledger):
            if is_final:
                self._leave(file)
            else:
                self._counts.all_is_shipped()
            return is_final
        now = self._now
        part = file.read(now.place)
        if part.place == now.place:
            return self._finish(file, ledger, is_final)
        rows = [row for line in part.lines if (row := Row.of(line, self._switchboard))]
        self._count_damaged(file, len(part.lines) - len(rows) + part.damaged)
        self._ship(ledger, rows, Known(part.place, False))
        self._counts.taken += len(part.lines) + part.damaged
        return True

    def _is_final(self, file: SpoolFile) -> bool:
        return not self._is_growing or self._spool.has_left(file.inode) or self._is_round_due(file.inode)

    def _find_place(self, file: SpoolFile, ledger: Ledger) -> bool:
        """Know from where to ship; False: the file has no record, or all of it is shipped for ever."""
        is_begun = self._now.place.key != ""
        if is_begun and (file.is_compressed or file.has(self._now.place)):
            return True
        start = file.start()
        if not start.key:
            return False
        found = ledger.known(self._switchboard, start.key)
        if found and found.is_finished and file.is_compressed:
            return False
        self._now = found if found and file.has(found.place) else Known(start, False)
        if not self._is_counted:
            self._is_counted = True
            self._counts.found(file.count_from(self._now.place.offset))
        return True

    def _finish(self, file: SpoolFile, ledger: Ledger, is_final: bool) -> bool:
        """Nothing is left to read."""
        if not is_final:
            self._counts.all_is_shipped()
            return False
        if not (self._is_growing or self._now.is_finished):
            ledger.ship([], self._switchboard, self._now._replace(is_finished=True))
        self._leave(file)
        return True

    def _ship(self, ledger: Ledger, rows: Sequence[Row], now: Known) -> None:
        """If the database refuses them, in halves, so that only what it cannot store is left out."""
        try:
            self._ship_all(ledger, rows, now)
        except RowsRefused as error:
            if len(rows) == 1:
                self.refused += 1
                self._warn(f"PostgreSQL cannot store the record of call {rows[0].call_id}: {error}")
                self._ship_all(ledger, [], now)
                return
            half = len(rows) // 2
            self._ship(ledger, rows[:half], self._now)
            self._ship(ledger, rows[half:], now)

    def _ship_all(self, ledger: Ledger, rows: Sequence[Row], now: Known) -> None:
        ledger.ship(rows, self._switchboard, now)
        self._now = now
        self.shipped += len(rows)

    def _count_damaged(self, file: SpoolFile, lines: int) -> None:
        if lines:
            self.damaged += lines
            where = f"{file.path}, from octet {self._now.place.offset} on"
            self._warn(f"Lines without a record are left out: {lines} ({where})")

    def _guess(self) -> None:
        """While the database has not said where it is: it may lack all that is there."""
        if not self._counts.is_guess_needed:
            return
        with suppress(*UNREADABLE):
            file = SpoolFile(self._spool.path)
            self._counts.guess(file.count_from(0))
            file.close()


class Counts:
    """How many records wait. `told`: written by the journal's thread; all else by the shipper's."""

    def __init__(self) -> None:
        self.told = 0
        self.taken = 0
        self._found = 0
        self._are_known = False
        self._is_first_round = True

    @property
    def is_guess_needed(self) -> bool:
        """Whether nothing is known of what was there at the start."""
        return not (self._are_known or self._found)

    @property
    def waiting(self) -> int:
        """Never below 0: what was read may not have been told yet."""
        return max(0, self._found + self.told - self.taken)

    def guess(self, lines: int) -> None:
        """So many may wait."""
        self._found, self.taken = lines, self.told

    def found(self, lines: int) -> None:
        """So many wait in a file that was there at the start."""
        if not self._are_known:
            self._are_known, self._found, self.taken = True, 0, self.told
        if self._is_first_round:
            self._found += lines

    def all_is_shipped(self) -> None:
        """There is nothing more to read."""
        self._are_known, self._is_first_round = True, False
        self.taken = self._found + self.told
