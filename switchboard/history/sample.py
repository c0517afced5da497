"""Which calls are kept while there are too many to keep all: whole calls, chosen by their Call-ID."""

from zlib import crc32

WINDOW_S = 1.0
SMALLEST_SHARE = 10
"""As a power of two: one call of 1024."""


class Sample:
    """Keeps all while at most `limit` messages a second pass; else a half of the calls, a quarter, and so on.

    `halvings`: how often the share was halved. `skipped` counts messages that were not wanted.
    """

    def __init__(self, limit: int) -> None:
        self.halvings = 0
        self.skipped = 0
        self._limit = limit
        self._counted = 0
        self._window_ends = 0.0

    def wants(self, call_id: bytes) -> bool:
        """Whether a message with this Call-ID is to be kept; to be asked of each one."""
        self._counted += 1
        if not self.halvings:
            return True
        if not crc32(call_id) & (1 << self.halvings) - 1:
            return True
        self.skipped += 1
        return False

    def look(self, now: float) -> None:
        """Adapt the share to the rate, once in WINDOW_S. `now`: monotonic s."""
        if now < self._window_ends:
            return
        seconds = WINDOW_S + now - self._window_ends if self._window_ends else WINDOW_S
        rate, self._counted, self._window_ends = self._counted / seconds, 0, now + WINDOW_S
        self.halvings = 0
        while rate > self._limit << self.halvings and self.halvings < SMALLEST_SHARE:
            self.halvings += 1
