"""Limits how often a password may be tried. Time is an argument; memory is bounded."""

from collections import OrderedDict, deque

PERIOD_S = 300.0
TRIES_OF_ONE = 5
TRIES_OF_ALL = 60
MAX_SOURCES = 1000


class Attempts:
    """Failed attempts of the last PERIOD_S, by source address and of all together."""

    def __init__(self) -> None:
        self._of_one: OrderedDict[str, deque[float]] = OrderedDict()
        self._of_all: deque[float] = deque(maxlen=TRIES_OF_ALL)

    def wait_s(self, source: str, now: float) -> float:
        """Return how long `source` must wait until it may try; 0.0: not at all."""
        of_one = self._of_one.get(source, deque())
        return max(_wait_s(of_one, TRIES_OF_ONE, now), _wait_s(self._of_all, TRIES_OF_ALL, now))

    def failed(self, source: str, now: float) -> None:
        """Note a wrong password."""
        self._of_one.setdefault(source, deque(maxlen=TRIES_OF_ONE)).append(now)
        self._of_one.move_to_end(source)
        if len(self._of_one) > MAX_SOURCES:
            self._of_one.popitem(last=False)
        self._of_all.append(now)

    def succeeded(self, source: str) -> None:
        """Forget what `source` has failed."""
        self._of_one.pop(source, None)


def _wait_s(failures: deque[float], allowed: int, now: float) -> float:
    """The failures so far fill the period until the oldest of the last `allowed` has left it."""
    return max(0.0, failures[0] + PERIOD_S - now) if len(failures) == allowed else 0.0
