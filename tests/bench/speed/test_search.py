"""The search for the highest rate."""

import pytest

from bench.speed.search import LOWEST, RESOLUTION, highest_rate


@pytest.mark.parametrize("limit", [12, 90, 1000, 1001, 6700, 50_000])
@pytest.mark.parametrize("factor", [2.0, 1.5])
def test_found_within_the_resolution(limit: int, factor: float) -> None:
    found = highest_rate(lambda rate: rate <= limit, 1000, factor)
    assert limit / RESOLUTION - 2 <= found <= limit


def test_nothing_is_carried() -> None:
    tried: list[int] = []

    def carries(rate: int) -> bool:
        tried.append(rate)
        return False

    assert highest_rate(carries, 1000, 2.0) == 0
    assert tried[-1] == LOWEST


def test_a_known_rate_is_confirmed_with_few_trials() -> None:
    tried: list[int] = []

    def carries(rate: int) -> bool:
        tried.append(rate)
        return rate <= 1000

    assert highest_rate(carries, 990, RESOLUTION) == 990
    assert tried == [990, 1049]
