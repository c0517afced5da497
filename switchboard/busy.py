"""Long-running work reports that it goes on, so that its parent does not take the process for one that hangs."""

import time
from collections.abc import Callable

EVERY_S = 0.1
"""Who is told hears no more often."""


class Busy:
    """Called by whatever may take long; passes it on to `tell`, if somebody wants to know."""

    def __init__(self) -> None:
        self.tell: Callable[[], None] | None = None
        self._next = 0.0

    def __call__(self) -> None:
        if self.tell is not None and (now := time.monotonic()) >= self._next:
            self._next = now + EVERY_S
            self.tell()


still_busy = Busy()
