"""Items that a peer must get at least once: numbered, and told again until it acknowledges them."""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

REPEAT_S = 1.0
"""How long an acknowledgement is waited for before everything unacknowledged is told again."""


class Unacknowledged:
    """Keeps items in order until their number is acknowledged; of more than `keep` the oldest are dropped.

    `now`: monotonic s. `dropped` counts.
    """

    def __init__(self, keep: int = 100_000) -> None:
        self.keep = keep
        self.dropped = 0
        self._items: deque[tuple[int, Sequence[Any]]] = deque()
        self._last = 0
        self._told = 0
        self._quiet_since: float | None = None

    @property
    def waiting(self) -> int:
        """How many items are not acknowledged."""
        return len(self._items)

    @property
    def has_news(self) -> bool:
        """Whether something is to be told now."""
        return bool(self._items) and self._told < self._items[-1][0]

    def put(self, item: Sequence[Any]) -> int:
        """Give `item` the next number, from 1, and return that."""
        self._last += 1
        self._items.append((self._last, item))
        if len(self._items) > self.keep:
            self._items.popleft()
            self.dropped += 1
        return self._last

    def restore(self, last: int, items: Iterable[tuple[int, Sequence[Any]]]) -> None:
        """Take over what a predecessor kept: the last number it gave, and what was not acknowledged."""
        self._last = last
        self._items.extend(sorted(items))

    def take(self, now: float, at_most: int = 256) -> list[list[Any]]:
        """Return what is to be told now, oldest first, each as `[number, *item]`; [] if nothing is."""
        if self._quiet_since is not None and now - self._quiet_since >= REPEAT_S:
            self._told = 0
            self._quiet_since = now
        skip = max(0, self._told + 1 - self._items[0][0]) if self._items else 0
        return [[number, *item] for number, item in islice(self._items, skip, skip + at_most)]

    def told(self, number: int, now: float) -> None:
        """The peer has been sent everything up to `number`."""
        self._told = number
        if self._quiet_since is None:
            self._quiet_since = now

    def acknowledge(self, number: int, now: float) -> list[int]:
        """The peer has everything up to `number`; return the numbers that are kept no more.

        A peer that says the same number again misses what follows it: that is no reason to wait longer.
        """
        done = []
        while self._items and self._items[0][0] <= number:
            done.append(self._items.popleft()[0])
        if done or not self._items:
            self._quiet_since = now if self._items else None
        return done

    def next_deadline(self) -> float | None:
        """When something is to be told again; None while nothing waits."""
        return self._quiet_since + REPEAT_S if self._quiet_since is not None else None
