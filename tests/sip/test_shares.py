"""Which router gets which calls, and which of them move when the set of routers changes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchboard.sip.shares import SLOTS, call_id_sum, router_of, shares

ROUTERS = st.frozensets(st.integers(0, 63), min_size=1, max_size=6)


@given(ROUTERS, st.integers(0, 63))
@settings(max_examples=40, deadline=None)
def test_only_its_own_calls_move_when_a_router_goes_or_comes(routers: frozenset[int], other: int) -> None:
    without = routers - {other} or frozenset({other + 1})
    together = without | {other}
    moved = [(old, new) for old, new in zip(shares(together), shares(without), strict=True) if old != new]
    assert {old for old, _ in moved} == {other}
    assert len(moved) == shares(together).count(other)
    assert {new for _, new in moved} <= without


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8, 16, 64])
def test_shares_are_alike(count: int) -> None:
    """Within four standard deviations."""
    fair = SLOTS / count
    table = shares(frozenset(range(count)))
    assert len(table) == SLOTS
    for router in range(count):
        assert abs(table.count(router) - fair) <= 4 * fair**0.5


def test_what_a_router_gives_up_is_spread() -> None:
    """None of the others gets it all."""
    before, after = shares(frozenset(range(5))), shares(frozenset(range(4)))
    given = [new for old, new in zip(before, after, strict=True) if old == 4]
    assert all(abs(given.count(router) - len(given) / 4) < len(given) / 16 for router in range(4))


def test_the_table_is_the_same_in_every_version() -> None:
    """Edges of two versions have to agree, and so have the routers that say what they hold for others."""
    assert shares(frozenset({0, 1}))[:16] == bytes([1, 0, 1, 1, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1])
    assert router_of(call_id_sum(b"a84b4c76e66710@pc33.atlanta.com"), [0, 1, 2]) == 2


def test_a_call_is_where_the_table_says() -> None:
    table = shares(frozenset({3, 7}))
    for number in range(100):
        sum_ = call_id_sum(b"%d@host" % number)
        assert router_of(sum_, [7, 3]) == table[sum_ % SLOTS]
    assert {router_of(call_id_sum(b"%d@host" % number), [7, 3]) for number in range(100)} == {3, 7}
