"""Runs a shipper in a thread of its own, so that the journal never waits for a database, and says how it goes."""

import errno
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Final

import structlog

from switchboard.journal.shipper import Shipper
from switchboard.storage.unusable import RemoteError

SHIP_EVERY_S: Final = 1.0
"""Between two transactions when little is to be shipped, and between two tries while the database is away."""
CHECK_EVERY_S: Final = 5.0
"""How soon it shows that the database is away while there are no calls."""
ERROR, WAITING = "shipping_error", "records_to_ship"
"""Names of counters: the system's number of what is wrong now, 0 for nothing; records that wait."""
_STOP_S: Final = 1.0
Log = Callable[[str], object]


class Shipping:
    """Owns the thread. `make` makes the shipper, which is given where it may complain; `shown`: the database."""

    def __init__(
        self, make: Callable[[Log], Shipper], shown: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = structlog.get_logger().bind(worker="journal.0").warning
        self._shipper, self._shown, self._clock = make(self._log), shown, clock
        self._stopped, self._stirred = threading.Event(), threading.Event()
        self._problem: tuple[int, str] | None = None
        self._since, self._failures = 0.0, 0
        self._thread = threading.Thread(target=self._run, name="shipper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def told(self, records: int) -> None:
        """So many are in cdr.jsonl now that were not."""
        self._shipper.told(records)
        self._stirred.set()

    def notes(self) -> list[str]:
        """What `status` is to tell people."""
        notes = [f"up, but {self._waits()}"] if self._problem else []
        left_out = self._shipper.damaged + self._shipper.refused + self._shipper.unreadable
        if left_out:
            notes.append(
                f"lines or files of cdr.jsonl that {self._shown} lacks: {left_out} (the log has each)"
            )
        return notes

    def stats(self) -> dict[str, float]:
        """Counters."""
        problem = self._problem
        return {
            WAITING: self._shipper.waiting,
            ERROR: problem[0] if problem else 0,
            "shipped_records": self._shipper.shipped,
            "shipping_failures": self._failures,
            "shipping_damaged_lines": self._shipper.damaged,
            "shipping_refused_records": self._shipper.refused,
            "shipping_unreadable_files": self._shipper.unreadable,
        }

    def close(self) -> None:
        """End the thread; a transaction that hangs is left alone."""
        self._stopped.set()
        self._stirred.set()
        if self._thread.ident:
            self._thread.join(_STOP_S)

    def _waits(self) -> str:
        waiting = self._shipper.waiting
        records = "1 record waits" if waiting == 1 else f"{waiting} records wait"
        words = self._problem[1] if self._problem else ""
        for_s = self._clock() - self._since
        return f"{records} in cdr.jsonl for {self._shown}: {words} (for {for_s:.0f} s now)"

    def _run(self) -> None:
        with closing(self._shipper):
            while not self._stopped.is_set():
                self._turn()
                self._stopped.wait(SHIP_EVERY_S)
                if not self._problem:
                    self._stirred.wait(CHECK_EVERY_S)
                self._stirred.clear()

    def _turn(self) -> None:
        """Ship all that is there."""
        try:
            while self._shipper.step() and not self._stopped.is_set():
                self._worked()
            self._shipper.check()
        except RemoteError as error:
            self._failed(error.number, str(error))
        except OSError as error:
            self._failed(error.errno or errno.EIO, f"cdr.jsonl cannot be read: {error}")
        except Exception as error:
            self._failed(errno.ENOTRECOVERABLE, f"shipping has ended by {error!r}: restart the journal")
            raise
        else:
            self._worked()

    def _failed(self, number: int, words: str) -> None:
        before, self._problem = self._problem, (number, words)
        self._failures += 1
        if not before:
            self._since = self._clock()
        if before != self._problem:
            self._log(self._waits())

    def _worked(self) -> None:
        if self._problem:
            self._problem = None
            self._log(f"{self._shown} can be used again, after {self._clock() - self._since:.0f} s")
