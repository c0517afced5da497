"""The time until which the journal waits for further events of a call; time is an argument."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from switchboard.journal.call import Call, Key, Phase

CHALLENGE_S = 32.0
"""64 · T1: a phone that has credentials repeats its INVITE sooner."""
INVITE_S = 3600.0
GRACE_S = 32.0
"""Nothing is given up sooner than this after it was last heard of: after an outage, the routers' backlog
must reach us first."""
PAST_US_S = 3600.0
"""How long a call is waited for whose phones seem to ignore Record-Route."""
SESSIONS_S = (90.0, 180.0, 300.0, 600.0, 900.0, 1200.0, 1800.0, 3600.0, 5400.0, 7200.0, 14400.0, 28800.0)
"""Session timers (RFC 4028; none is below 90 s, 1800 is usual) are rounded up to one of these."""


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
        self._unanswered = _Queue(INVITE_S)
        self._challenged = _Queue(CHALLENGE_S)
        self._up = _Queue(max_call_s)
        self._sessions = [_Queue(limit_s + GRACE_S) for limit_s in SESSIONS_S if limit_s < max_call_s]
        self._past_us = _Queue(min(PAST_US_S, max_call_s))
        self._queues = self._unanswered, self._challenged, self._up, self._past_us, *self._sessions
        self._queue_by_key: dict[Key, _Queue] = {}

    @property
    def limits_s(self) -> list[float]:
        """How long each queue waits: unanswered, challenged, up, past us; then sessions, the shortest first."""
        return [queue.limit_s for queue in self._queues]

    def set(self, call: Call, now_at: float) -> None:
        """Wait for the call as long as its phase allows; a second challenge and a refresh renew the wait."""
        queue, key = self._queue_of(call), call.key
        due_at = call.waits_since + queue.limit_s
        if self._queue_by_key.get(key) is not queue or due_at > queue.deadlines[key]:
            self.drop(key)
            self._queue_by_key[key] = queue
            queue.deadlines[key] = max(due_at, now_at + GRACE_S)

    def _queue_of(self, call: Call) -> _Queue:
        phase = call.phase
        if phase is not Phase.UP:
            return self._challenged if phase is Phase.CHALLENGED else self._unanswered
        if call.session_s:
            return self._session_queue(call.session_s)
        return self._past_us if call.is_past_us else self._up

    def _session_queue(self, session_s: int) -> _Queue:
        wanted_s = session_s + GRACE_S
        return next((queue for queue in self._sessions if queue.limit_s >= wanted_s), self._up)

    def drop(self, key: Key) -> None:
        """Wait no longer."""
        queue = self._queue_by_key.pop(key, None)
        if queue is not None:
            del queue.deadlines[key]

    def next_deadline_at(self) -> float | None:
        """The next deadline; None while no call is open."""
        return min((queue.first() for queue in self._queues if queue.deadlines), default=None)

    def due(self, now_at: float) -> Iterator[Key]:
        """Yield the calls whose deadline has come, and drop them."""
        for queue in self._queues:
            while queue.deadlines and queue.first() <= now_at:
                key, _ = queue.deadlines.popitem(last=False)
                del self._queue_by_key[key]
                yield key
