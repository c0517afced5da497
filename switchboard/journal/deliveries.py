"""The delivery of events, at least once and in order: routers number their events, and repeat them until acknowledged.

Theory. For each incarnation of a router the journal keeps the number of the last event that it took. The next number
is taken, a lower one was seen before, and a higher one shows a gap: the events behind it are refused, and the router
sends them again. Only a gap that is not filled for a long time is accepted.
"""

from typing import NamedTuple

PATIENCE_S = 30.0
"""How long a gap may stay open; a router that does not fill it has lost the events (its queue overflowed)."""

FIRST = 1
"""The number of a router's first event, so that its loss shows too."""
LIVES = 4
"""Incarnations remembered of one worker."""


class Router(NamedTuple):
    """A router worker in one of its lives: numbers grow within an incarnation."""

    instance: int
    incarnation: str


class Deliveries:
    """The last number taken from each router. Takes every number once, and in order.

    The bus may lose a frame when a process dies. What follows a gap is refused, so that the acknowledgement
    stays before it and the router tells it all again.
    """

    def __init__(self) -> None:
        self.repeated = 0
        self.refused = 0
        self.missed = 0
        self._numbers: dict[Router, int] = {}
        self._gap_since: dict[Router, float] = {}
        self._have_changed = False

    def restore(self, numbers: dict[Router, int]) -> None:
        """Take over what the store has kept."""
        self._numbers.update(numbers)

    def accept(self, router: Router, number: int, now: float) -> bool:
        """True if the event of that number is to be taken now."""
        last = self._numbers.get(router)
        if last is None:
            last = self._welcome(router, number)
        if number <= last:
            self.repeated += 1
            return False
        if number > last + 1 and not self._skip_gap(router, number - last - 1, now):
            self.refused += 1
            return False
        if self._gap_since:
            self._gap_since.pop(router, None)
        self._numbers[router] = number
        self._have_changed = True
        return True

    def advance(self, router: Router, by: int) -> None:
        """This number of events with the next numbers was taken; `last` knew the router."""
        self._gap_since.pop(router, None)
        self._numbers[router] += by
        self._have_changed = True

    def last(self, router: Router) -> int | None:
        """The number up to which everything was taken; None if nothing was."""
        return self._numbers.get(router)

    @property
    def numbers(self) -> dict[Router, int]:
        """The last number of each router."""
        return self._numbers

    def have_changed(self) -> bool:
        """Whether a number was taken since the last time."""
        changed, self._have_changed = self._have_changed, False
        return changed

    def _welcome(self, router: Router, number: int) -> int:
        """Begin to count; of a worker's earlier lives, only the last ones may have frames under way."""
        lives = [known for known in self._numbers if known.instance == router.instance]
        for known in lives[: 1 - LIVES]:
            self._retire(known)
        self._numbers[router] = min(FIRST, number) - 1
        return self._numbers[router]

    def _retire(self, router: Router) -> None:
        del self._numbers[router]
        self._gap_since.pop(router, None)

    def _skip_gap(self, router: Router, size: int, now: float) -> bool:
        """True if the gap has been open for so long that nobody will fill it."""
        if now - self._gap_since.setdefault(router, now) < PATIENCE_S:
            return False
        self.missed += size
        return True
