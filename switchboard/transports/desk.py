"""Between a worker's thread and the one that looks names up: what is asked, and what was found."""

import os
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NamedTuple

from switchboard.core.commands import Lookup, NextHop


class Service(NamedTuple):
    """One server of a name: its addresses, IPv6 first. The lowest `rank` is tried first, equal ones by `weight`."""

    rank: int
    weight: int
    hops: tuple[NextHop, ...]


class Found(NamedTuple):
    """Where a name leads; how long that holds (s); whether the name servers had an answer at all."""

    services: tuple[Service, ...]
    lasts_s: float
    is_answered: bool = True


class Desk:
    """Between the worker's thread and the one that asks: look-ups go there, what they found comes back.

    `fd` is readable while something has come. The thread begins with the first look-up: what it needs takes 0.2 s to
    load, and many switchboards never look anything up.
    """

    def __init__(self, serve: Callable[["Desk"], None]) -> None:
        self.wake: Callable[[], object] | None = None
        self.asked: SimpleQueue[Lookup | None] = SimpleQueue()
        self._found: SimpleQueue[tuple[Lookup, Found]] = SimpleQueue()
        self.fd, self._bell = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._bell, False)
        self._thread = Thread(target=serve, args=(self,), name="resolver", daemon=True)

    def ask(self, lookup: Lookup | None) -> None:
        """Have a look-up made; None ends the thread."""
        self.asked.put(lookup)
        if self.wake is not None:  # else it looks at `asked` when it is awake
            self.wake()
        if lookup is not None and self._thread.ident is None:
            self._thread.start()

    def tell(self, lookup: Lookup, found: Found) -> None:
        """To be called by the thread that asks."""
        self._found.put((lookup, found))
        self.ring()

    def ring(self) -> None:
        """Make `fd` readable."""
        with suppress(BlockingIOError):  # it is, then
            os.write(self._bell, b"!")

    def take(self) -> list[tuple[Lookup, Found]]:
        """All that has been found, after which `fd` is quiet."""
        _empty(self.fd)
        taken = []
        while True:
            try:
                taken.append(self._found.get_nowait())
            except Empty:
                return taken


def _empty(fd: int) -> None:
    try:
        while len(os.read(fd, 4096)) == 4096:
            pass
    except BlockingIOError:
        return
