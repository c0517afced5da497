"""When more comes than can be served: new work is refused early, so that what was begun is finished.

Judged by how late a datagram is when its turn comes. A phone repeats a request after T1 (0.5 s); work that is
later than that is done twice, and the capacity for it is lost.
"""

SOME_FROM_S = 0.05
"""So late, the first requests are refused; of strangers; users have USERS_PATIENCE times as long."""
ALL_FROM_S = 0.15
USERS_PATIENCE = 2.0
PERSISTS_S = 0.5
"""What is over sooner is no overload: a restarted router soon makes up for what it missed."""
STALE_S = 1.0
"""A measurement says nothing of the time after."""


class Overload:
    """Says which share of the new requests is refused; `now` is monotonic."""

    def __init__(self) -> None:
        self.lag_s = 0.0
        self._noted_at = 0.0
        self._late_since: float | None = None
        self._due = 0.0

    def note(self, lag_s: float, now: float) -> None:
        """Datagrams that are looked at `now` have waited for `lag_s`."""
        self.lag_s = lag_s
        self._noted_at = now
        if lag_s < SOME_FROM_S:
            self._late_since = None
        elif self._late_since is None:
            self._late_since = now

    def refuses(self, now: float, *, of_user: bool) -> bool:
        """Whether one more new request is to be refused. `of_user`: it comes from where a user registered."""
        if self._late_since is None or now - self._late_since < PERSISTS_S or now - self._noted_at > STALE_S:
            return False
        lag_s = self.lag_s / USERS_PATIENCE if of_user else self.lag_s
        share = (lag_s - SOME_FROM_S) / (ALL_FROM_S - SOME_FROM_S)
        if share <= 0.0:
            return False
        self._due += min(1.0, share)
        if self._due < 1.0:
            return False
        self._due -= 1.0
        return True
