"""The share of new requests that is refused, by how late they are."""

import pytest

from switchboard.gate.overload import (
    ALL_FROM_S,
    HOPELESS_S,
    PERSISTS_S,
    RECOVERS_S,
    SOME_FROM_S,
    STALE_S,
    USERS_PATIENCE,
    Overload,
)

HALF_S = (SOME_FROM_S + ALL_FROM_S) / 2


def late_for_long(lag_s: float) -> Overload:
    overload = Overload()
    overload.note(lag_s, 100.0 - PERSISTS_S)
    overload.note(lag_s, 100.0)
    return overload


@pytest.mark.parametrize(
    ("lag_s", "of_user", "refused"),
    [
        (0.0, False, 0),
        (SOME_FROM_S, False, 0),
        (HALF_S, False, 50),
        (ALL_FROM_S, False, 100),
        (10.0, False, 100),
        (-5.0, False, 0),
        (USERS_PATIENCE * SOME_FROM_S, True, 0),
        (USERS_PATIENCE * HALF_S, True, 50),
        (10.0, True, 100),
    ],
)
def test_the_later_the_more(lag_s: float, of_user: bool, refused: int) -> None:
    overload = late_for_long(lag_s)
    assert sum(overload.refuses(100.1, of_user=of_user) for _ in range(100)) == pytest.approx(refused, abs=1)


def test_nothing_is_refused_before_anything_was_measured_and_long_after() -> None:
    assert not Overload().refuses(100.0, of_user=False)
    overload = late_for_long(10.0)
    assert overload.refuses(100.0, of_user=False)
    assert not overload.refuses(100.1 + STALE_S, of_user=False)


def test_a_moment_of_lateness_is_no_overload() -> None:
    overload = Overload()
    for now, lag_s in ((100.0, 0.4), (100.4, 0.2), (101.0, 0.0), (101.1, 0.4), (101.5, 0.3)):
        overload.note(lag_s, now)
        assert not overload.refuses(now, of_user=False)


def test_who_is_hopelessly_late_is_overloaded_at_once() -> None:
    overload = Overload()
    overload.note(HOPELESS_S, 100.0)
    assert overload.refuses(100.0, of_user=True)


def test_an_overload_lasts_until_it_has_been_over_for_long() -> None:
    """A moment without lateness is what refusing achieves: the next lateness is refused at once."""
    overload = late_for_long(ALL_FROM_S)
    overload.note(0.0, 100.5)
    overload.note(0.0, 101.4)
    assert not overload.refuses(101.4, of_user=False), "nothing is late"
    overload.note(ALL_FROM_S, 101.5)
    assert overload.refuses(101.5, of_user=False)
    for tenths in range(int(RECOVERS_S * 10) + 1):
        overload.note(0.0, 102.0 + tenths / 10)
    overload.note(ALL_FROM_S, 104.5)
    assert not overload.refuses(104.5, of_user=False)


def test_who_is_full_takes_nothing_new_whoever_asks() -> None:
    overload = Overload()
    overload.is_full = True
    assert overload.refuses(100.0, of_user=True)
    overload.is_full = False
    assert not overload.refuses(100.0, of_user=False)


def test_a_queue_that_is_fed_three_times_too_fast_stays_short() -> None:
    """A server that serves 100 requests a second, and refuses ten times as fast; 300 come."""
    overload, clock, lateness, served = Overload(), 0.0, [], 0
    for number in range(6000):
        arrived = number / 300
        clock = max(clock, arrived)
        overload.note(clock - arrived, clock)
        lateness.append(clock - arrived)
        refused = overload.refuses(clock, of_user=False)
        served += not refused
        clock += 0.001 if refused else 0.010
    assert max(lateness[3000:]) < ALL_FROM_S
    assert max(lateness) < 3 * PERSISTS_S
    assert served / clock > 0.8 * 100 * (1 - 0.2)
