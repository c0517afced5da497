"""When the journal stops waiting for more of a call; time is an argument."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from switchboard.cdr.call import Call, Key, Phase

CHALLENGE_S = 32.0
"""64 · T1: a phone that has credentials repeats its INVITE sooner."""
INVITE_S = 3600.0
GRACE_S = 32.0
"""Nothing is given up sooner than this after it was last heard of: after an outage, the routers' backlog
must reach us first."""


@dataclass(slots=True)
class _Queue:
    limit_s: float
    deadlines: OrderedDict[Key, float] = field(default_factory=OrderedDict)

    def first(self) -> float:
        return next(iter(self.deadlines.values()))


class Waits:
    """The deadline of each open call, epoch s.

    A queue for each length of wait, so that (but for seconds) its first is the next due.
    """

    def __init__(self, max_call_s: float) -> None:
        unanswered, challenged, up = _Queue(INVITE_S), _Queue(CHALLENGE_S), _Queue(max_call_s)
        self._queues = self._unanswered, self._challenged, self._up = unanswered, challenged, up

    def set(self, call: Call, now_at: float) -> None:
        """Wait for the call as long as its phase allows; a second challenge renews the wait."""
        queue, key = self._queue_of(call), call.key
        if key not in queue.deadlines or queue is self._challenged:
            self.drop(key)
            queue.deadlines[key] = max(call.waits_since + queue.limit_s, now_at + GRACE_S)

    def _queue_of(self, call: Call) -> _Queue:
        phase = call.phase
        if phase is Phase.UP:
            return self._up
        return self._challenged if phase is Phase.CHALLENGED else self._unanswered

    def drop(self, key: Key) -> None:
        """Wait no longer."""
        for queue in self._queues:
            queue.deadlines.pop(key, None)

    def next_deadline_at(self) -> float | None:
        """The next deadline; None while no call is open."""
        return min((queue.first() for queue in self._queues if queue.deadlines), default=None)

    def due(self, now_at: float) -> Iterator[Key]:
        """Yield the calls whose deadline has come, and drop them."""
        for queue in self._queues:
            while queue.deadlines and queue.first() <= now_at:
                yield queue.deadlines.popitem(last=False)[0]
