"""Long-running work reports that it goes on, so that its parent does not take the process for one that hangs."""

import time
from collections.abc import Callable

EVERY_S = 0.1
"""Reports are not more frequent than this, s."""


class Busy:
    """Called by work that may take long; passes the call on to `tell`, if that is set."""

    def __init__(self) -> None:
        self.tell: Callable[[], None] | None = None
        self._next = 0.0

    def __call__(self) -> None:
        if self.tell is not None and (now := time.monotonic()) >= self._next:
            self._next = now + EVERY_S
            self.tell()


still_busy = Busy()
