"""How long a peer will need for what it has not taken yet; time is advanced by hand."""

import pytest

from switchboard.core.overload import HOPELESS_S, PERSISTS_S, Overload
from switchboard.edge.backlog import AWAY_S, STAMPS_KEPT, Backlog


def worked_off(rate: float) -> Backlog:
    """A peer that always had something to do, `rate` items a second, and has taken all."""
    backlog = Backlog()
    for second in range(100, 112):
        backlog.stamp(float(second), int((second - 99) * rate))
    for second in range(100, 112):
        backlog.take(float(second), second + 1.0)
    return backlog


def test_who_has_taken_all_is_not_late() -> None:
    assert Backlog().delay_s == 0.0
    assert worked_off(100.0).delay_s == 0.0


def test_it_is_told_before_it_has_come_to_pass() -> None:
    backlog = worked_off(100.0)
    backlog.stamp(120.0, 1250)
    assert backlog.delay_s == pytest.approx(0.5)
    backlog.stamp(120.1, 1300)
    assert backlog.delay_s == pytest.approx(1.0)
    backlog.take(120.0, 120.5)
    assert backlog.delay_s == pytest.approx(0.5)


def test_a_peer_that_becomes_slower_is_noticed() -> None:
    backlog = worked_off(100.0)
    for number in range(1, 4):
        backlog.stamp(120.0 + number / 100, 1200 + 20 * number)
    backlog.take(120.01, 120.9)
    backlog.take(120.02, 121.8)
    assert backlog.delay_s == pytest.approx(0.9), "20 items, at 22 a second now"


def test_a_peer_that_was_away_is_as_fast_as_before() -> None:
    backlog = worked_off(100.0)
    backlog.stamp(120.0, 1250)
    backlog.stamp(120.1, 1300)
    backlog.take(120.0, 125.0)
    backlog.take(120.1, 125.0 + 2 * AWAY_S)
    backlog.stamp(127.0, 1400)
    assert backlog.delay_s == pytest.approx(1.0)


def test_idle_time_and_the_way_of_a_single_item_are_not_counted_as_work() -> None:
    backlog = worked_off(100.0)
    for number in range(10):
        backlog.stamp(500.0 + number, 1201 + number)
        backlog.take(500.0 + number, 500.2 + number)
    backlog.stamp(600.0, 1310)
    assert backlog.delay_s == pytest.approx(1.0)


def test_nobody_is_late_whose_rate_is_not_known() -> None:
    backlog = Backlog()
    backlog.stamp(100.0, 1_000)
    assert backlog.delay_s == 0.0


@pytest.mark.parametrize("stamp", [0.0, 111.0])
def test_stamps_of_earlier_times_tell_nothing(stamp: float) -> None:
    """A peer may take frames of a predecessor of ours, and an answer may come twice."""
    backlog = worked_off(100.0)
    backlog.stamp(120.0, 1300)
    backlog.take(stamp, 120.5)
    assert backlog.delay_s == pytest.approx(1.0)


def test_what_is_remembered_of_a_peer_that_is_away_is_bounded_and_forgotten_when_it_is_back() -> None:
    backlog = worked_off(100.0)
    for number in range(2 * STAMPS_KEPT):
        backlog.stamp(120.0 + number / 100, 1300 + number)
    backlog.take(1e9, 200.0)
    assert backlog.delay_s == 0.0


@pytest.mark.parametrize("offered", [150, 300, 500])
def test_whatever_is_offered_what_is_served_is_served_in_time(offered: int) -> None:
    """A peer that serves 100 requests a second, at the end of a queue; it tells each 20 ms how far it is."""
    backlog, overload = Backlog(), Overload()
    queue: list[float] = []
    put = taken = 0.0
    late, served = [], 0
    for step in range(30_000):  # of a millisecond
        now = step / 1000
        taken += 0.1 if queue else 0.0
        while queue and taken >= 1.0:
            late.append((now, now - queue.pop(0)))
            taken -= 1.0
            served += 1
        due, put = put + offered / 1000, 0.0
        overload.lag_s = backlog.delay_s
        while due >= 1.0:
            if not overload.refuses(now, of_user=True):
                queue.append(now)
            due -= 1.0
        put = due
        if step % 20 == 0:
            backlog.stamp(now, served + len(queue))
            if late and now - late[-1][0] < 0.02:
                backlog.take(now - late[-1][1], now)
                overload.note(backlog.delay_s, now)
    settled = [lag for at, lag in late if at > 10 * PERSISTS_S]
    assert served > 0.95 * 100 * 30
    assert max(settled) < HOPELESS_S, "nothing has to be sent again"
