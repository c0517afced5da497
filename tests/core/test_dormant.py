"""Saved transactions that sleep: who wakes them, once."""

import pytest

from switchboard.core.dormant import Dormant
from switchboard.sip.dispatch import ClientKey, ServerKey

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
