"""What was decided of a request, so that its copies are told the same (RFC 3261 §8.2.7)."""

from switchboard.bounded import Generations

LASTS_S = 32.0
"""64 T1: so long a sender repeats a request, and no transaction lasts longer on its side."""
MOST = 100_000
"""That are remembered of one generation."""


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
