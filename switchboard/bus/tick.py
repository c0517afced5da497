"""The adaptive tick: under load, input gathers a little before the next drain, since cost is per drain."""

import math

WORTH = 2.0
"""Datagrams that the longest tick has to gather; below, it would only delay them."""
LEAST = 0.5
"""The part of the longest tick that one lasts at any rate."""
MEMORY_S = 0.05
"""Over about so long the rate is averaged."""


class Tick:
    """Decides after each drain how long to wait before the next one. `longest_s`: 0 for never.

    A tick is over when about `enough` datagrams have gathered, by the present rate, but has its bounds.
    What comes after a pause is drained at once: the wait follows a drain, it does not precede one.
    """

    def __init__(self, longest_s: float, enough: float = math.inf) -> None:
        self._longest_s = longest_s
        self._enough = enough
        self._drained_at = 0.0
        self._rate = 0.0

    def pause_s(self, now: float, taken: int, backlog: bool) -> float:
        """Return the wait, from `now` on (monotonic s), of a drain that yielded `taken` datagrams.

        `backlog`: more are there already, so that there is nothing to wait for.
        """
        elapsed_s = now - self._drained_at
        self._drained_at = now
        weight = min(1.0, elapsed_s / MEMORY_S)
        self._rate += weight * (taken / max(elapsed_s, 1e-6) - self._rate)
        if backlog or self._rate * self._longest_s < WORTH:
            return 0.0
        return min(self._longest_s, max(self._enough / self._rate, LEAST * self._longest_s))
