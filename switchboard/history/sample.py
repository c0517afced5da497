"""Which share of the calls is kept while there are too many to keep all."""

from switchboard.bus.share import SMALLEST

WINDOW_S = 1.0
SHORTEST_S = 0.25
"""After so long a share is made smaller if the messages of a window have come by then."""
MARGIN = 0.7
"""The share grows again when the larger one would make less than so much of the limit."""


class Sample:
    """Adapts the share so that at most `limit` messages a second are kept: a call of two, of four, and so on.

    `halvings`: how often the share was halved. `skipped`: about how many messages were left out.
    """

    def __init__(self, limit: int) -> None:
        self.halvings = 0
        self.skipped = 0
        self._limit = limit
        self._counted = 0
        self._since = 0.0

    def count(self, messages: int) -> None:
        """So many messages of the share have come."""
        self._counted += messages
        self.skipped += messages * ((1 << self.halvings) - 1)

    def look(self, now: float) -> bool:
        """Adapt the share to the rate; whether it is another one now. `now`: monotonic s."""
        elapsed_s = now - self._since
        if elapsed_s < (SHORTEST_S if self._counted > self._limit else WINDOW_S):
            return False
        rate = (self._counted << self.halvings) / elapsed_s
        before, self._counted, self._since = self.halvings, 0, now
        while rate > self._limit << self.halvings and self.halvings < SMALLEST:
            self.halvings += 1
        while self.halvings and rate < MARGIN * (self._limit << self.halvings - 1):
            self.halvings -= 1
        return self.halvings != before
