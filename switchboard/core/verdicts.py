"""What was decided of a request, so that its copies are told the same (RFC 3261 §8.2.7)."""

LASTS_S = 32.0
"""64 T1: so long a sender repeats a request, and no transaction lasts longer on its side."""
MOST = 100_000
"""That are remembered of one generation."""


class Verdicts:
    """Whether requests were admitted, by a number that their copies have, too.

    Each is remembered for `lasts_s` at least and twice that at most, while there are not too many: then the
    older generation goes. `now` is monotonic.
    """

    def __init__(self, lasts_s: float = LASTS_S) -> None:
        self._lasts_s = lasts_s
        self._young: dict[int, bool] = {}
        self._old: dict[int, bool] = {}
        self._turned_at = 0.0

    def find(self, number: int, now: float) -> bool | None:
        """What was decided; None if nothing is remembered."""
        if now - self._turned_at >= self._lasts_s:
            self._turn(now)
        verdict = self._young.get(number)
        return self._old.get(number) if verdict is None else verdict

    def add(self, number: int, verdict: bool, now: float) -> None:
        """Remember what was decided of a request of which nothing was."""
        if now - self._turned_at >= self._lasts_s or len(self._young) >= MOST:
            self._turn(now)
        self._young[number] = verdict

    def _turn(self, now: float) -> None:
        self._old = self._young if now - self._turned_at < 2 * self._lasts_s else {}
        self._young = {}
        self._turned_at = now
