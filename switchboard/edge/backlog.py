"""What a peer has been given and has not taken yet, and how long it will need for that.

Its sender stamps what it hands on; the peer sends each stamp back when it has taken what came before it. So
how late it is can be told of another host, too, and before the queue is full of what is late already.
"""

from collections import deque

RATE_MEMORY_S = 0.2
"""Over about so long of work the peer's rate is averaged."""
STAMPS_KEPT = 1_000
AWAY_S = 1.0
"""Who is silent for longer was not at work, but away: that says nothing of the rate."""
_SHORTEST_S = 1e-4


class Backlog:
    """Of one peer; its rate is learnt while it always has something to do.

    Instants are those of the stamps (epoch s); items are counted from the beginning.
    """

    def __init__(self) -> None:
        self._stamps: deque[tuple[float, int]] = deque(maxlen=STAMPS_KEPT)
        self._taken = 0
        self._told_at = 0.0
        self._was_busy = False
        self._rate = 0.0

    def stamp(self, at: float, items: int) -> None:
        """So many items were handed on up to `at`."""
        self._stamps.append((at, items))

    def take(self, stamp: float, at: float) -> None:
        """The peer has, `at` this moment, taken all before that stamp. Those before our time tell nothing."""
        taken, worked_s = self._taken, at - self._told_at
        while self._stamps and self._stamps[0][0] <= stamp:
            taken = self._stamps.popleft()[1]
        if taken > self._taken and self._was_busy:
            self._learn(taken - self._taken, max(worked_s, _SHORTEST_S))
        self._taken, self._told_at, self._was_busy = max(self._taken, taken), at, bool(self._stamps)

    @property
    def delay_s(self) -> float:
        """How long what was stamped last will have waited when its turn comes; 0 if all is taken."""
        if not self._stamps or not self._rate:
            return 0.0
        return (self._stamps[-1][1] - self._taken) / self._rate

    def _learn(self, items: int, work_s: float) -> None:
        if self._rate and work_s > AWAY_S:
            return
        weight = min(1.0, work_s / RATE_MEMORY_S) if self._rate else 1.0
        self._rate += weight * (items / work_s - self._rate)
