"""Overload control: new work is refused early, so that work that was begun is finished.

Theory. A phone repeats a request after T1 (0.5 s). A server that answers later gets every request twice, so its
useful capacity falls just when it is needed. So the controlled quantity is the delay: how late a request of now will
be when its turn comes. The queue is short enough at `LATE_S`, and never empty.

A measurement of the delay (`note`) switches the control on if the delay is above half of `LATE_S` for PERSISTS_S, or
above HOPELESS_S for SOON_S. New requests are then admitted at a rate, by a token bucket. The rate starts at the
average of what was admitted before, and changes exponentially:

    the delay is above LATE_S and does not fall                    the rate falls, in proportion to the excess
    the delay is below LATE_S and something was refused            the rate rises, in proportion to what is missing

In addition a part of the rate is held back at once while the delay is above LATE_S, which damps the oscillation. The
control ends when for RECOVERS_S the delay was short and nothing was refused. Half of the bucket is reserved for
users.

`Verdicts` remembers the decision on each request, so that its copies get the same answer (RFC 3261 §8.2.7).
"""

from math import exp
from typing import Final

from switchboard.bounded import Generations
from switchboard.core.timers import TimerValues

_EDGE_S: Final = 2.0**32
"""No machine runs for so long."""


def stamp_of(edge: int, at: float) -> float:
    """Return the stamp by which the edge of that number learns how late a receiver is. `at`: its host's monotonic s."""
    return edge * _EDGE_S + at


def read_stamp(stamp: float) -> tuple[int, float]:
    """Return whose stamp that is, and its instant."""
    edge, at = divmod(stamp, _EDGE_S)
    return int(edge), at


LASTS_S: Final[float] = TimerValues().lifetime
"""64 T1 with the default T1: senders repeat a request for this time, and no transaction lasts longer."""
MOST = 100_000
"""Verdicts in one generation."""


class Verdicts:
    """Whether requests were admitted, by a number that their copies have, too.

    Each is remembered for `lasts_s` at least and less than three times that, while there are not too many. `now` is
    monotonic.
    """

    def __init__(self, lasts_s: float = LASTS_S) -> None:
        self._known: Generations[int, bool] = Generations(MOST, lasts_s)

    def find(self, number: int, now: float) -> bool | None:
        """What was decided; None if nothing is remembered."""
        self._known.age(now)
        return self._known.get(number)

    def add(self, number: int, verdict: bool, now: float) -> None:
        """Remember what was decided of a request of which nothing was."""
        self._known.age(now)
        self._known.put(number, verdict, now)


LATE_S = 0.08
"""The target under overload: there is always work, and nothing waits long."""
PERSISTS_S = 0.5
"""A shorter delay is no overload: a restarted router soon catches up."""
HOPELESS_S = 0.3
"""At this delay many requests are repeated before the answer: it need not persist as long to be an overload."""
SOON_S = 0.1
"""But for this time, since one measurement may be wrong: the rate of a receiver that was away is unknown."""
RECOVERS_S = 2.0
"""An overload is over when nothing was late and nothing was refused for this time."""
STALE_S = 1.0
"""A measurement is valid for this time."""
AVERAGED_S = 0.5
"""The rate with which an overload begins is averaged over about this time."""
COUNTED_S = 0.02
"""Admissions of a shorter interval count as those of this one."""
FALLS, RISES = 0.5, 1.0
"""How fast the rate changes, by its own amount a second, for a lateness that is off by LATE_S."""
YIELDS = 1 / 3
"""The part of the rate that is held back at once for a lateness above LATE_S by as much again."""
MOST_OFF = 2.0
LEAST_RATE = 10.0
LEAST_AT_FIRST = 100.0
"""At least this rate at first: a process that has just started has admitted little."""
SPARE_S = 0.05
"""The size of the bucket, in seconds of the rate; strangers leave half of it to users."""
LEAST_SPARE = 4.0


class Overload:
    """Says whether one more new request is refused. `late_s`: how late all should be under overload.

    `lag_s` may be set between two measurements; `is_full`: nothing new can be taken on. `now` is monotonic.
    """

    def __init__(self, late_s: float = LATE_S) -> None:
        self.lag_s = 0.0
        self.is_full = False
        self._late_s = late_s
        self._is_on = False
        self._noted_at = 0.0
        self._noted_s = 0.0
        self._turns_since = -1.0
        self._hopeless_since = -1.0
        self._admitted = 0
        self._has_refused = False
        self._rate = 0.0  # of what was admitted; under overload, of what may be
        self._credit = 0.0
        self._credited_at = 0.0

    def note(self, lag_s: float, now: float) -> None:
        """What came up to `now` is, or will be, late by `lag_s`."""
        elapsed_s = now - self._noted_at
        is_easing = lag_s < self._noted_s
        self.lag_s = self._noted_s = lag_s
        self._noted_at = now
        if elapsed_s > STALE_S:
            self._is_on, self._turns_since, self._rate = False, -1.0, 0.0
        if self._is_on:
            self._learn(elapsed_s, is_easing)
        else:
            self._count(max(elapsed_s, COUNTED_S))
        self._turn(now)
        self._admitted, self._has_refused = 0, False

    def count(self, admitted: int) -> None:
        """This number of new requests was accepted without `refuses`."""
        self._admitted += admitted

    def is_pressing(self, now: float) -> bool:
        """Whether anything at all may have to be refused."""
        return self.is_full or (self._is_on and now - self._noted_at <= STALE_S)

    def refuses(self, now: float, of_user: bool) -> bool:
        """Whether one more new request is to be refused. `of_user`: it comes from where a user registered."""
        if not self._noted_at:
            self._noted_at = now
        refused = self.is_full or (self.is_pressing(now) and not self._has_credit(now, of_user))
        if refused:
            self._has_refused = True
        else:
            self._admitted += 1
        return refused

    def _turn(self, now: float) -> None:
        is_late = self._has_refused or self.lag_s >= self._late_s / 2
        if self.lag_s < HOPELESS_S:
            self._hopeless_since = -1.0
        elif self._hopeless_since < 0:
            self._hopeless_since = now
        elif now - self._hopeless_since >= SOON_S and not self._is_on:
            self._begin(now)
        if is_late is self._is_on:
            self._turns_since = -1.0
        elif self._turns_since < 0:
            self._turns_since = now
        elif now - self._turns_since >= (RECOVERS_S if self._is_on else PERSISTS_S):
            self._turns_since = -1.0
            if self._is_on:
                self._is_on = False
            else:
                self._begin(now)

    def _begin(self, now: float) -> None:
        self._is_on = True
        self._rate = max(LEAST_AT_FIRST, self._rate)
        self._credit, self._credited_at = 0.0, now

    def _count(self, elapsed_s: float) -> None:
        weight = min(1.0, elapsed_s / AVERAGED_S) if self._rate else 1.0
        self._rate += weight * (self._admitted / elapsed_s - self._rate)

    def _learn(self, elapsed_s: float, is_easing: bool) -> None:
        """The rate falls while all is too late and gets no better, and rises while something is refused
        though all is early.
        """
        off = self._off()
        if off > 0 and not is_easing:
            self._rate = max(LEAST_RATE, self._rate * exp(-FALLS * min(off, MOST_OFF) * elapsed_s))
        elif off < 0 and self._has_refused:
            self._rate *= exp(-RISES * off * elapsed_s)

    def _off(self) -> float:
        return self.lag_s / self._late_s - 1

    def _has_credit(self, now: float, of_user: bool) -> bool:
        rate = self._rate * max(0.0, 1 - YIELDS * self._off())
        spare = max(LEAST_SPARE, rate * SPARE_S)
        self._credit = min(spare, self._credit + rate * (now - self._credited_at))
        self._credited_at = now
        if self._credit < (1.0 if of_user else spare / 2):
            return False
        self._credit -= 1.0
        return True
