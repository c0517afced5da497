"""When more comes than can be served: new work is refused early, so that what was begun is finished.

Judged by how late what comes now will be when its turn comes. A phone repeats a request after T1 (0.5 s);
work that is later than that is done twice, and the capacity for it is lost.
"""

SOME_FROM_S = 0.04
"""So late, the first requests are refused; of strangers; users have USERS_PATIENCE times as long."""
ALL_FROM_S = 0.12
USERS_PATIENCE = 1.5
PERSISTS_S = 0.5
"""What is over sooner is no overload: a restarted router soon makes up for what it missed."""
HOPELESS_S = 0.5
"""So late, everything is sent again before it is answered: that need not persist to be an overload."""
RECOVERS_S = 2.0
"""An overload that seems to be over for a shorter time is not: it is what refusing achieves."""
STALE_S = 1.0
"""A measurement says nothing of the time after."""


class Overload:
    """Says which share of the new requests is refused: some from `some_from_s` on, all from `all_from_s`.

    `lag_s` may be set between two measurements; `is_full`: nothing new can be taken on. `now` is monotonic.
    """

    def __init__(self, some_from_s: float = SOME_FROM_S, all_from_s: float = ALL_FROM_S) -> None:
        self.lag_s = 0.0
        self.is_full = False
        self._some_from_s = some_from_s
        self._band_s = all_from_s - some_from_s
        self._is_on = False
        self._noted_at = 0.0
        self._turns_since: float | None = None
        self._due = 0.0

    def note(self, lag_s: float, now: float) -> None:
        """What came up to `now` is, or will be, late by `lag_s`."""
        if now - self._noted_at > STALE_S:
            self._is_on, self._turns_since = False, None
        self.lag_s = lag_s
        self._noted_at = now
        if lag_s >= HOPELESS_S:
            self._is_on = True
        if (lag_s >= self._some_from_s) is self._is_on:
            self._turns_since = None
        elif self._turns_since is None:
            self._turns_since = now
        elif now - self._turns_since >= (RECOVERS_S if self._is_on else PERSISTS_S):
            self._is_on, self._turns_since = not self._is_on, None

    def is_pressing(self, now: float) -> bool:
        """Whether anything at all is to be refused."""
        return self.is_full or (self._is_on and now - self._noted_at <= STALE_S)

    def refuses(self, now: float, *, of_user: bool) -> bool:
        """Whether one more new request is to be refused. `of_user`: it comes from where a user registered."""
        if self.is_full:
            return True
        if not self.is_pressing(now):
            return False
        lag_s = self.lag_s / USERS_PATIENCE if of_user else self.lag_s
        self._due += min(1.0, max(0.0, (lag_s - self._some_from_s) / self._band_s))
        if self._due < 1.0:
            return False
        self._due -= 1.0
        return True
