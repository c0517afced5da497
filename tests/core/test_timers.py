"""Timer values (RFC 3261 table 4, RFC 4320 §4.1) and the order in which timers fire."""

from weakref import WeakSet

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchboard.core.timers import Dormant, Timers, TimerValues, Waiting
from switchboard.sip.dispatch import ClientKey, ServerKey


class Owner(Waiting):
    pass


def fired(timers: Timers, now: float) -> list[str]:
    return [letter for _, letter in timers.due(now)]


def test_values() -> None:
    values = TimerValues()
    assert (values.t1, values.t2, values.t4) == (0.5, 4.0, 5.0)
    assert values.c > 180
    assert values.lifetime == 32.0


@pytest.mark.parametrize(("t1", "d"), [(0.5, 32.0), (0.01, 32.0), (1.0, 64.0)])
def test_timer_d_is_at_least_32_s(t1: float, d: float) -> None:
    """§17.1.1.2, over UDP."""
    assert TimerValues(t1=t1).d == d


@pytest.mark.parametrize(
    ("t1", "t2", "instant"),
    [(0.5, 4.0, 3.5), (0.5, 3.0, 3.5), (0.5, 1.0, 0.5), (1.0, 4.0, 3.0), (4.0, 4.0, 0.0)],
)
def test_first_trying(t1: float, t2: float, instant: float) -> None:
    """RFC 4320 §4.1: not before timer E has been reset to T2."""
    assert TimerValues(t1=t1, t2=t2).first_trying == instant


def test_earliest_first() -> None:
    timers, one, two = Timers(), Owner(), Owner()
    assert timers.next_deadline() is None
    timers.arm(one, "B", 3.0)
    timers.arm(two, "A", 1.0)
    timers.arm(one, "A", 2.0)
    assert timers.next_deadline() == 1.0
    assert [(owner is one, letter) for owner, letter in timers.due(2.0)] == [(False, "A"), (True, "A")]
    assert timers.next_deadline() == 3.0
    assert one.armed == {"B": 3.0}


def test_equal_deadlines_fire_in_the_order_of_arming() -> None:
    timers, owner = Timers(), Owner()
    for letter in "GHA":
        timers.arm(owner, letter, 1.0)
    assert fired(timers, 1.0) == ["G", "H", "A"]


def test_not_before_its_time() -> None:
    timers = Timers()
    timers.arm(Owner(), "A", 1.0)
    assert fired(timers, 0.999) == []
    assert fired(timers, 1.0) == ["A"]
    assert fired(timers, 9.0) == []
    assert timers.next_deadline() is None


@pytest.mark.parametrize("when", [1.0, 2.0, 5.0])
def test_rearmed_timer_fires_once(when: float) -> None:
    timers, owner = Timers(), Owner()
    timers.arm(owner, "C", 2.0)
    timers.arm(owner, "C", when)
    assert timers.next_deadline() == when
    assert fired(timers, 9.0) == ["C"]


def test_disarmed_timer_does_not_fire() -> None:
    timers, owner = Timers(), Owner()
    timers.arm(owner, "A", 1.0)
    timers.arm(owner, "B", 2.0)
    del owner.armed["A"]
    assert timers.next_deadline() == 2.0
    assert fired(timers, 9.0) == ["B"]


def test_timers_armed_or_disarmed_by_one_that_fires() -> None:
    timers, owner = Timers(), Owner()
    timers.arm(owner, "A", 1.0)
    timers.arm(owner, "B", 2.0)
    letters = []
    for _, letter in timers.due(9.0):
        letters.append(letter)
        if letter == "A":
            owner.armed.clear()
            timers.arm(owner, "K", 3.0)
            timers.arm(owner, "D", 10.0)
    assert letters == ["A", "K"]
    assert timers.next_deadline() == 10.0


def test_disarmed_timers_keep_nobody_in_memory() -> None:
    """Timer C of a call that was answered lies minutes ahead: its owner is let go before."""
    timers, waiting = Timers(), Owner()
    timers.arm(waiting, "C", 185.0)
    answered: WeakSet[Owner] = WeakSet()
    for _ in range(5000):
        owner = Owner()
        answered.add(owner)
        timers.arm(owner, "C", 185.0)
        owner.armed.clear()
    assert len(answered) < 1500
    assert [owner is waiting for owner, _ in timers.due(185.0)] == [True]


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 20))), st.integers(0, 20))
@settings(max_examples=50, deadline=None)
def test_only_the_last_arming_counts(armings: list[tuple[str, int]], now: int) -> None:
    timers, owner = Timers(), Owner()
    for letter, when in armings:
        timers.arm(owner, letter, float(when))
    last = dict(armings)
    assert sorted(fired(timers, now)) == sorted(letter for letter, when in last.items() if when <= now)
    assert timers.next_deadline() == min((when for when in last.values() if when > now), default=None)


@pytest.mark.parametrize(
    ("armed", "expected"),
    [
        ({"A": 4.0, "B": 32.0}, ["A", "B"]),
        ({"A": 4.0, "B": 5.0}, ["B"]),
        ({"G": 4.0, "H": 4.5}, ["H"]),
        ({"G": 4.0}, ["G"]),
        ({"C": 3.0}, ["C"]),
    ],
)
def test_what_a_predecessor_armed(armed: dict[str, float], expected: list[str]) -> None:
    """At 5.0: what is over by then is not sent once more."""
    timers = Timers()
    timers.rearm(Owner(), armed, now=5.0)
    assert fired(timers, 99.0) == expected


INVITE: ServerKey = ("z9hg4bk1", "192.0.2.9", 5060, "INVITE")
FORKS: list[ClientKey] = [("z9hG4bKsb0.1", "INVITE"), ("z9hG4bKsb0.2", "INVITE")]


@pytest.fixture
def woken() -> list[int]:
    return []


@pytest.fixture
def ended() -> list[int]:
    return []


@pytest.fixture
def dormant(woken: list[int], ended: list[int]) -> Dormant:
    """A call with two forks until 20, and a CANCEL until 10."""
    dormant = Dormant(woken.append, ended.append)
    dormant.add(1, [INVITE], FORKS, 20.0)
    dormant.add(2, [], [("z9hG4bKsb0.2", "CANCEL")], 10.0)
    return dormant


def test_a_request_wakes_its_unit(dormant: Dormant, woken: list[int]) -> None:
    dormant.meet_server((*INVITE[:3], "BYE"))
    assert woken == []
    dormant.meet_server(INVITE)
    dormant.meet_server(INVITE)
    assert (woken, len(dormant), dormant.servers) == ([1], 1, {})


@pytest.mark.parametrize("key", FORKS)
def test_a_response_wakes_its_unit_with_all_its_keys(
    dormant: Dormant, woken: list[int], key: ClientKey
) -> None:
    dormant.meet_client(key)
    dormant.meet_server(INVITE)
    assert woken == [1]
    assert list(dormant.clients) == [("z9hG4bKsb0.2", "CANCEL")]


def test_deadlines_wake_in_their_order(dormant: Dormant, woken: list[int]) -> None:
    assert dormant.next_deadline() == 10.0
    dormant.meet_due(9.9)
    assert woken == []
    dormant.meet_due(25.0)
    assert woken == [2, 1]
    assert (len(dormant), dormant.next_deadline()) == (0, None)


def test_who_is_awake_has_no_deadline_here(dormant: Dormant, woken: list[int]) -> None:
    dormant.meet_client(("z9hG4bKsb0.2", "CANCEL"))
    assert dormant.next_deadline() == 20.0
    dormant.meet_due(10.0)
    assert woken == [2]


def test_who_has_nothing_left_to_do_ends_asleep(dormant: Dormant, woken: list[int], ended: list[int]) -> None:
    dormant.add(3, [(*INVITE[:3], "BYE")], [], 30.0, ends=True)
    dormant.meet_due(30.0)
    assert (woken, ended, dormant.servers) == ([2, 1], [3], {})


def test_who_woke_and_sleeps_again_has_his_new_deadline(dormant: Dormant, woken: list[int]) -> None:
    dormant.meet_server(INVITE)
    dormant.add(1, [INVITE], FORKS, 40.0)
    dormant.meet_due(30.0)
    assert woken == [1, 2]
    assert (len(dormant), dormant.next_deadline()) == (1, 40.0)
