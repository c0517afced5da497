"""How long input gathers: never when quiet, a batch interval under load."""

import math

import pytest

from switchboard.bus.rounds import LEAST, WORTH, BatchInterval

LONGEST_S = 0.002


def pauses(
    rate: float, longest_s: float = LONGEST_S, seconds: float = 1.0, enough: float = math.inf
) -> list[float]:
    """The waits while `rate` datagrams a second arrive evenly and are drained as soon as each is over."""
    batch_interval = BatchInterval(longest_s, enough)
    now, arrived, result = 0.0, 0, []
    while now < seconds:
        now = max(now, (arrived + 1) / rate)
        taken = int(now * rate + 1e-9) - arrived
        arrived += taken
        result.append(batch_interval.pause_s(now, taken, backlog=False))
        now += result[-1]
    return result


def test_a_quiet_switchboard_waits_for_nothing() -> None:
    assert not any(pauses(rate=WORTH / LONGEST_S * 0.6))


def test_under_load_input_gathers() -> None:
    under_load = pauses(rate=5000)
    assert under_load[0] == 0
    assert under_load[-100:] == [LONGEST_S] * 100


@pytest.mark.parametrize(
    ("rate", "pause_s"), [(1200, LONGEST_S), (4000, 0.0015), (60_000, LEAST * LONGEST_S)]
)
def test_it_is_over_when_enough_has_gathered(rate: float, pause_s: float) -> None:
    under_load = pauses(rate, enough=6.0)[-100:]
    assert sum(under_load) / 100 == pytest.approx(pause_s, rel=0.1)
    assert max(under_load) <= LONGEST_S


def test_a_tick_of_0_never_waits() -> None:
    assert not any(pauses(rate=5000, longest_s=0.0, seconds=0.1))


def test_a_backlog_is_taken_at_once() -> None:
    batch_interval = BatchInterval(LONGEST_S)
    assert [batch_interval.pause_s(number / 1000, 64, backlog=True) for number in range(1000)] == [0.0] * 1000
    assert batch_interval.pause_s(1.0, 64, backlog=False) == LONGEST_S


@pytest.mark.parametrize("pause_s", [0.2, 10.0])
def test_what_comes_after_a_pause_is_followed_by_none(pause_s: float) -> None:
    batch_interval = BatchInterval(LONGEST_S)
    for number in range(100):
        batch_interval.pause_s(number / 500, 10, backlog=False)
    assert batch_interval.pause_s(0.2 + pause_s, 1, backlog=False) == 0.0


def test_two_drains_in_the_same_instant() -> None:
    batch_interval = BatchInterval(LONGEST_S)
    batch_interval.pause_s(1.0, 1, backlog=False)
    assert batch_interval.pause_s(1.0, 1, backlog=False) == 0.0
