"""Items that are told again until they are acknowledged."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchboard.bus.unacknowledged import REPEAT_S, Unacknowledged


def numbers(told: list[list[Any]]) -> list[int]:
    return [number for number, *_ in told]


def filled(count: int, keep: int = 100) -> Unacknowledged:
    items = Unacknowledged(keep)
    for number in range(1, count + 1):
        items.put(["item", number])
    return items


def tell(items: Unacknowledged, now: float, at_most: int = 256) -> list[int]:
    """Tell what is to be told, as a caller does whose peer is there."""
    told = numbers(items.take(now, at_most))
    if told:
        items.told(told[-1], now)
    return told


def test_numbers_and_order() -> None:
    items = filled(2)
    assert items.take(0.0) == [[1, "item", 1], [2, "item", 2]]
    assert items.waiting == 2


def test_news_are_what_was_not_told() -> None:
    items = filled(2)
    assert items.has_news
    tell(items, 0.0)
    assert not items.has_news
    items.put(["item", 3])
    assert items.has_news
    tell(items, 0.0)
    items.acknowledge(3, 0.1)
    assert not items.has_news


def test_nothing_waits() -> None:
    items = Unacknowledged()
    assert not items.has_news
    assert items.take(0.0) == []
    assert items.next_deadline() is None


def test_until_it_was_told_it_is_told() -> None:
    """A peer that is away gets the same items at the next occasion."""
    items = filled(2)
    assert numbers(items.take(0.0)) == numbers(items.take(0.1)) == [1, 2]
    assert items.next_deadline() is None


def test_each_is_told_once_for_a_while() -> None:
    items = filled(3)
    assert tell(items, 0.0, at_most=2) == [1, 2]
    assert tell(items, 0.0, at_most=2) == [3]
    assert tell(items, REPEAT_S - 0.01) == []
    items.put(["more"])
    assert tell(items, REPEAT_S - 0.01) == [4]


def test_told_again_from_the_first_unacknowledged() -> None:
    items = filled(3)
    tell(items, 0.0)
    items.acknowledge(1, 0.25)
    assert items.next_deadline() == 0.25 + REPEAT_S
    assert tell(items, 0.25 + REPEAT_S) == [2, 3]
    assert tell(items, 0.5 + REPEAT_S) == []
    assert tell(items, 0.25 + 2 * REPEAT_S) == [2, 3]


def test_told_again_to_a_peer_that_was_away() -> None:
    """The repetition could not be sent: it stays due."""
    items = filled(2)
    tell(items, 0.0)
    assert numbers(items.take(REPEAT_S)) == [1, 2]
    assert tell(items, REPEAT_S + 0.1) == [1, 2]


def test_all_acknowledged() -> None:
    items = filled(2)
    tell(items, 0.0)
    items.acknowledge(2, 0.1)
    assert (items.waiting, items.next_deadline(), tell(items, 9.0)) == (0, None, [])
    items.put(["next"])
    assert tell(items, 9.0) == [3]


@pytest.mark.parametrize("number", [0, 1])
def test_late_acknowledgement_takes_nothing_away(number: int) -> None:
    items = filled(3)
    tell(items, 0.0)
    items.acknowledge(1, 0.1)
    items.acknowledge(number, 0.2)
    assert items.waiting == 2


def test_oldest_are_dropped() -> None:
    items = filled(5, keep=3)
    assert (items.waiting, items.dropped) == (3, 2)
    assert tell(items, 0.0) == [3, 4, 5]


def test_dropped_while_they_wait_for_their_acknowledgement() -> None:
    items = filled(3, keep=3)
    assert tell(items, 0.0) == [1, 2, 3]
    items.put(["fourth"])
    assert tell(items, 0.1) == [4]
    items.acknowledge(1, 0.2)
    assert tell(items, 0.2 + REPEAT_S) == [2, 3, 4]


@given(st.lists(st.one_of(st.just("put"), st.just("away"), st.just("tell"), st.integers(0, 3)), max_size=40))
@settings(max_examples=60, deadline=None)
def test_peer_gets_everything_in_order(steps: list[str | int]) -> None:
    """Whatever is lost on the way: what a peer has, seen without repetitions, is 1, 2, 3, …"""
    items, had, now = Unacknowledged(), 0, 0.0
    for step in [*steps, "tell", 0, "tell", 0]:
        now += REPEAT_S
        if step == "put":
            items.put([])
        elif step == "away":
            items.take(now)
        elif step == "tell":
            for number in tell(items, now):
                assert number <= had + 1
                had = max(had, number)
        else:
            items.acknowledge(max(0, had - int(step)), now)
    assert items.waiting == 0
    assert items.next_deadline() is None


def test_an_acknowledgement_without_progress_delays_nothing() -> None:
    """The peer has lost a frame, and refuses what comes behind the gap with the number before it."""
    kept = Unacknowledged()
    for number in range(3):
        kept.put([number])
    told = kept.take(10.0)
    kept.told(told[-1][0], 10.0)
    kept.acknowledge(1, 10.5)
    for instant in (10.7, 10.9, 11.1, 11.3):
        kept.acknowledge(1, instant)
        assert kept.take(instant) == []
    assert [number for number, *_ in kept.take(11.6)] == [2, 3]
