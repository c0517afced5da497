"""Under overload new requests are admitted at the rate at which they are served; time is advanced by hand."""

import heapq
from collections.abc import Iterator

import pytest

from switchboard.core.overload import (
    HOPELESS_S,
    LASTS_S,
    LATE_S,
    LEAST_AT_FIRST,
    MOST,
    PERSISTS_S,
    RECOVERS_S,
    SOON_S,
    STALE_S,
    Overload,
    Verdicts,
)

NUMBER = 7


@pytest.mark.parametrize("verdict", [True, False])
@pytest.mark.parametrize("lasts_s", [LASTS_S, 6.4])
def test_it_holds_for_once_to_twice_as_long(verdict: bool, lasts_s: float) -> None:
    verdicts = Verdicts(lasts_s)
    assert verdicts.find(NUMBER, 100.0) is None
    verdicts.add(NUMBER, verdict, 100.0 + lasts_s / 2)
    for later_s in (0.0, lasts_s / 2, lasts_s):
        assert verdicts.find(NUMBER, 100.0 + lasts_s / 2 + later_s) is verdict
    assert verdicts.find(NUMBER, 100.0 + 2.5 * lasts_s) is None


def test_a_pause_ends_it() -> None:
    verdicts = Verdicts()
    verdicts.add(NUMBER, False, 100.0)
    assert verdicts.find(NUMBER, 100.0 + 2 * LASTS_S) is None


def test_others_do_not_shorten_it_until_there_are_too_many() -> None:
    verdicts = Verdicts()
    verdicts.add(NUMBER, False, 100.0)
    for number in range(1, MOST + 1):
        verdicts.add(-number, True, 100.0)
    assert verdicts.find(NUMBER, 100.0) is False
    for number in range(1, MOST + 1):
        verdicts.add(MOST + number, True, 100.0)
    assert verdicts.find(NUMBER, 100.0) is None


NOTED_EVERY_S = 0.02


def hopeless(now: float = 100.0) -> Overload:
    overload = Overload()
    for past_s in (1.5 * SOON_S, 0.0):
        overload.note(HOPELESS_S, now - past_s)
    return overload


def test_nothing_is_refused_before_anything_was_measured_and_long_after() -> None:
    assert not Overload().refuses(100.0, of_user=False)
    overload = hopeless()
    assert overload.refuses(100.0, of_user=False)
    assert not overload.refuses(100.1 + STALE_S, of_user=False)


def test_a_moment_of_lateness_is_no_overload() -> None:
    overload = Overload()
    for now, lag_s in ((100.0, 0.2), (100.4, 0.2), (101.0, 0.0), (101.1, 0.2), (101.5, 0.2)):
        overload.note(lag_s, now)
        assert not overload.refuses(now, of_user=False)


def test_lateness_that_lasts_is_one() -> None:
    overload = Overload()
    for now in (100.0, 100.0 + PERSISTS_S):
        overload.note(LATE_S, now)
    assert overload.refuses(100.0 + PERSISTS_S, of_user=True)


def test_who_is_hopelessly_late_is_soon_overloaded() -> None:
    assert hopeless().refuses(100.0, of_user=True)


def test_one_measurement_may_be_wrong() -> None:
    """A peer that was away for seconds, and whose rate is not known, is thought slow until it has worked."""
    overload = Overload()
    for now, lag_s in ((100.0, 1.1), (100.03, 1.0), (100.06, 0.0), (100.2, 1.0)):
        overload.note(lag_s, now)
        assert not overload.refuses(now, of_user=False)


def test_an_overload_is_over_when_nothing_had_to_be_refused_for_long() -> None:
    overload, now = hopeless(), 100.0
    while now < 100.0 + 3 * RECOVERS_S:
        now += 0.1
        while not overload.refuses(now, of_user=True):
            pass
        overload.note(0.0, now)
    assert overload.is_pressing(now)
    for _ in range(int(RECOVERS_S / 0.1) + 2):
        now += 0.1
        overload.note(0.0, now)
    assert not overload.is_pressing(now)


def test_who_is_full_takes_nothing_new_whoever_asks() -> None:
    overload = Overload()
    overload.is_full = True
    assert overload.refuses(100.0, of_user=True)
    overload.is_full = False
    assert not overload.refuses(100.0, of_user=False)


def test_users_have_what_there_is_and_strangers_the_rest() -> None:
    overload, admitted = hopeless(), {True: 0, False: 0}
    for number in range(1, 100):
        now = 100.0 + 1.5 / LEAST_AT_FIRST * number
        overload.note(LATE_S, now)
        for of_user in (False, True):
            admitted[of_user] += not overload.refuses(now, of_user=of_user)
    assert admitted[True] == 99
    assert sum(admitted.values()) == pytest.approx(1.5 * 99, abs=2), "the rest is the strangers'"


class Server:
    """Serves 2,000 requests a second, each of six messages that come one after another."""

    COST_S = 1 / 2000 / 6
    REFUSAL_S = COST_S / 10
    LATER_S = (0.1, 0.1, 0.1, 0.2, 0.2)

    def __init__(self, offered: float, overload: Overload) -> None:
        self.overload = overload
        self.served: list[float] = []
        self.refused: list[float] = []
        self.noted: list[tuple[float, float]] = []
        self._offered = offered
        self._busy_until = 0.0

    def run(self, seconds: float, pause: tuple[float, float] = (0.0, 0.0)) -> None:
        for now, is_new in self._arrivals(seconds):
            if pause[0] <= now < pause[1]:
                self._busy_until = max(self._busy_until, pause[1])
            lag_s = max(0.0, self._busy_until - now)
            if not self.noted or now - self.noted[-1][0] >= NOTED_EVERY_S:
                self.noted.append((now, lag_s))
                self.overload.note(lag_s, now)
            self.overload.lag_s = lag_s
            self._busy_until = max(self._busy_until, now) + self._work_s(now, is_new)

    def _arrivals(self, seconds: float) -> Iterator[tuple[float, bool]]:
        self._due = [(1.0 + number / self._offered, True) for number in range(int(seconds * self._offered))]
        while self._due:
            yield heapq.heappop(self._due)

    def _work_s(self, now: float, is_new: bool) -> float:
        if is_new and self.overload.refuses(now, of_user=True):
            self.refused.append(now)
            return self.REFUSAL_S
        if is_new:
            self.served.append(now)
            at = max(now, self._busy_until)
            for later_s in self.LATER_S:
                at += later_s
                heapq.heappush(self._due, (at, False))
        return self.COST_S


@pytest.mark.parametrize("offered", [2_200, 3_000, 6_000, 20_000])
def test_whatever_is_offered_as_much_is_admitted_as_can_be_served(offered: int) -> None:
    server = Server(offered, Overload())
    server.run(15.0)
    settled = [lag_s for at, lag_s in server.noted if at > 10.0]
    assert max(settled) < 2 * LATE_S, "nothing has to be sent again"
    capacity = 2000 - (offered - 2000) / 60  # a refusal costs a sixtieth of a request
    assert sum(at > 10.0 for at in server.served) / 6.0 == pytest.approx(capacity, rel=0.1)


def test_all_that_can_be_served_is_admitted() -> None:
    server = Server(1_900, Overload())
    server.run(10.0)
    assert not server.refused


def test_a_server_that_was_away_for_a_while_soon_has_all_again() -> None:
    server = Server(1_000, Overload())
    server.run(12.0, pause=(5.0, 6.5))
    assert server.refused
    assert max(server.refused) < 8.5


def test_who_has_just_begun_with_much_that_is_late_refuses_nothing_of_what_it_can_serve() -> None:
    overload = Overload()
    assert not any(overload.refuses(100.0, of_user=False) for _ in range(50))
    overload.note(1.0, 100.0)
    for hundredth in range(1, 200):
        overload.note(0.0, 100.0 + hundredth / 100)
        assert not overload.refuses(100.0 + hundredth / 100, of_user=False) or hundredth < 5
