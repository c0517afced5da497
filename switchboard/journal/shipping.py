"""Runs a shipper in a thread of its own, so that the journal never waits for a database, and says how it goes."""

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from switchboard.journal.ledger import LedgerError
from switchboard.journal.shipper import Shipper
from switchboard.storage.writing import Writing

SHIP_EVERY_S: Final = 1.0
"""Between two transactions when little is to be shipped, and between two tries while the database is away."""
CHECK_EVERY_S: Final = 5.0
"""How soon it shows that the database is away while there are no calls."""
_STOP_S: Final = 1.0


class Shipping(Writing):
    """Owns the thread. `shown`: the database, for people."""

    def __init__(self, shipper: Shipper, shown: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(shown, "they are in cdr.jsonl", clock)
        self._shipper, self._shown = shipper, shown
        self._stopped, self._stirred = threading.Event(), threading.Event()
        self._problem: tuple[int, str] | None = None
        self._tries = 0
        self._thread = threading.Thread(target=self._run, name="shipper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def told(self, records: int) -> None:
        """So many are in cdr.jsonl now that were not."""
        if records:
            self._shipper.told(records)
            self._stirred.set()

    def look(self) -> None:
        """Be up to date."""
        problem = self._problem
        if problem:
            self.failed(*problem)
        else:
            self.worked()
        self.failures = self._tries

    def stats(self) -> dict[str, float]:
        """Counters."""
        return {
            "records_to_ship": self._shipper.waiting,
            "shipped_records": self._shipper.shipped,
            "shipping_damaged_lines": self._shipper.damaged,
            "shipping_refused_records": self._shipper.refused,
            "shipping_unreadable_files": self._shipper.unreadable,
        }

    def close(self) -> None:
        """End the thread; a transaction that hangs is left alone."""
        self._stopped.set()
        self._stirred.set()
        self._thread.join(_STOP_S)

    def _cannot(self) -> str:
        for_s = self._clock() - self._since
        waiting = self._shipper.waiting
        records = "1 record waits" if waiting == 1 else f"{waiting:,} records wait"
        return f"{records} for {self._shown} ({self._words}, for {for_s:.0f} s); {self._meanwhile}"

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._turn()
            self._stopped.wait(SHIP_EVERY_S)
            if not self._problem and self._stirred.wait(CHECK_EVERY_S):
                self._stirred.clear()
        self._shipper.close()

    def _turn(self) -> None:
        """Ship all that is there."""
        try:
            while self._shipper.step() and not self._stopped.is_set():
                self._problem = None
            self._shipper.check()
        except LedgerError as error:
            self._fail(error.number, str(error))
        except OSError as error:
            self._fail(error.errno or 5, f"cdr.jsonl cannot be read: {error}")
        else:
            self._problem = None

    def _fail(self, number: int, words: str) -> None:
        self._tries += 1
        self._problem = number, words
