"""What operators are told of attackers: a bounded number of lines, whatever is sent."""

from collections.abc import Mapping

LINES_A_SECOND = 20
"""An attacker with many sources must not fill the disk."""
AGAIN_S = 60.0
"""The same is told of the same source once in so long."""
REMEMBERED = 10_000

Notice = tuple[str, Mapping[str, str]]
"""The event, and what is to be known of it; `source` is an IP address."""


class Notices:
    """Gathers notices; `suppressed` counts those beyond LINES_A_SECOND. `now` is monotonic."""

    def __init__(self) -> None:
        self.suppressed = 0
        self._told: dict[tuple[str, str], float] = {}
        self._waiting: list[Notice] = []
        self._second = 0.0
        self._left = LINES_A_SECOND

    def add(self, event: str, source: str, now: float, **details: str) -> None:
        """Tell it, unless the same was told of `source` lately, or too much is told already."""
        key = event, source
        told_at = self._told.get(key)
        if told_at is not None and now - told_at < AGAIN_S:
            return
        if now - self._second >= 1.0:
            self._second, self._left = now, LINES_A_SECOND
        if not self._left:
            self.suppressed += 1
            return
        self._left -= 1
        if len(self._told) >= REMEMBERED:
            self._told.clear()
        self._told[key] = now
        self._waiting.append((event, {"source": source, **details}))

    @property
    def waiting(self) -> bool:
        """Whether something has been gathered."""
        return bool(self._waiting)

    def take(self) -> list[Notice]:
        """Return what has been gathered since the last call."""
        waiting, self._waiting = self._waiting, []
        return waiting
