"""The queue of look-ups: a fair order among the askers. No I/O, no clock.

Theory. Look-ups may take seconds, and one user may ask for a thousand names. A single queue would delay all others.
So each asker has a queue of its own, and the queues take turns (round robin): `take` serves the first asker in the
order that is below its limit of running look-ups, and puts that asker at the end. There are limits for an asker and
for all together, for waiting and for running look-ups. If the queue as a whole is full, the newest look-up of the
asker with the longest queue is dropped.
"""

from collections import Counter, deque
from typing import NamedTuple

from switchboard.core.commands import Question

MOST_WAITING, SHARE = 1000, 100
"""Questions that wait, of all and of one asker."""
MOST_AT_ONCE, SHARE_AT_ONCE = 64, 8
"""Questions that the servers are asked at the same time."""


class Waiting(NamedTuple):
    """A question that waits for its turn since `since` (monotonic s)."""

    question: Question
    since: float


class Turns:
    """The questions that wait, and how many of each asker are being answered."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Waiting]] = {}  # in the order of their turns, none of them empty
        self._running: Counter[str] = Counter()
        self._waiting = 0

    def add(self, waiting: Waiting) -> Waiting | None:
        """Let one wait; return the one without room: itself, or the latest of the asker with the longest queue."""
        queue = self._queues.get(waiting.question.asker)
        own = len(queue) if queue else 0
        if own >= SHARE:
            return waiting
        refused = None
        if self._waiting >= MOST_WAITING:
            longest = max(self._queues.values(), key=len)
            if own + 1 >= len(longest):
                return waiting
            refused = longest.pop()
            self._waiting -= 1
        self._queues.setdefault(waiting.question.asker, deque()).append(waiting)
        self._waiting += 1
        return refused

    def take(self) -> Waiting | None:
        """The next one in turn, which runs until `end`; None if none waits, or enough of them are running."""
        if self._running.total() >= MOST_AT_ONCE:
            return None
        asker = next((each for each in self._queues if self._running[each] < SHARE_AT_ONCE), None)
        if asker is None:
            return None
        queue = self._queues.pop(asker)
        waiting = queue.popleft()
        if queue:
            self._queues[asker] = queue
        self._waiting -= 1
        self._running[asker] += 1
        return waiting

    def end(self, asker: str) -> None:
        """One that was taken has its answer, or gets none."""
        self._running[asker] -= 1
        if not self._running[asker]:
            del self._running[asker]
