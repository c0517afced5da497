"""How many transactions each source began lately: they are remembered for so long at least."""

from typing import Protocol

from switchboard.core.verdicts import LASTS_S


class Recency(Protocol):
    """Who counts them."""

    limit: int

    def admits(self, source: str, now: float) -> bool: ...


class Recent:
    """Counts by source over the epoch that runs and the one before, `lasts_s` each: a bounded memory.

    A server transaction outlives its final response by 64 T1. `limit`: of one source in that time. `now` is
    monotonic.
    """

    def __init__(self, limit: int, lasts_s: float = LASTS_S) -> None:
        self.limit = limit
        self._lasts_s = lasts_s
        self._began_at = 0.0
        self._counts: dict[str, int] = {}
        self._before: dict[str, int] = {}

    def admits(self, source: str, now: float) -> bool:
        """Count one more transaction of `source`; False, and it is not counted, if it has too many."""
        if now - self._began_at >= self._lasts_s:
            self._turn(now)
        count = self._counts.get(source, 0)
        if count + self._before.get(source, 0) >= self.limit:
            return False
        self._counts[source] = count + 1
        return True

    def _turn(self, now: float) -> None:
        self._before = self._counts if now - self._began_at < 2 * self._lasts_s else {}
        self._counts = {}
        self._began_at = now
