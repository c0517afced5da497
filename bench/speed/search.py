"""Finds the highest rate that is carried."""

from collections.abc import Callable

RESOLUTION = 1.06
LOWEST = 10


def highest_rate(carries: Callable[[int], bool], start: int, factor: float) -> int:
    """The highest rate found that is carried, within RESOLUTION; 0 if not even LOWEST is.

    Goes from `start` by `factor` until the verdict changes, then bisects.
    """
    good, bad = _bracket(carries, start, factor)
    while good and bad > good + max(1.0, good * (RESOLUTION - 0.999)):
        middle = round((good * bad) ** 0.5)
        if carries(middle):
            good = middle
        else:
            bad = middle
    return good


def _bracket(carries: Callable[[int], bool], start: int, factor: float) -> tuple[int, int]:
    rate = start
    if carries(rate):
        while carries(higher := max(rate + 1, round(rate * factor))):
            rate = higher
        return rate, higher
    while rate > LOWEST:
        lower = max(LOWEST, round(rate / factor))
        if carries(lower):
            return lower, rate
        rate = lower
    return 0, rate
