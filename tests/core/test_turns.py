from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.core.call_rules import Group
from switchboard.core.turns import Turns, read_turn

MEMBERS = {"lenka": "101", "lukas": "lukas", "group:night": "group:night"}


def group(way: str, name: str = "office") -> Group:
    return Group(name, tuple(MEMBERS.values()), way)


def test_in_turn_and_all_have_their_own_order() -> None:
    turns = Turns()
    for way in ("turn", "all", "turn"):
        assert turns.ordered(group(way), MEMBERS) == ["101", "lukas", "group:night"]
    assert turns.take_changes() == {}


def test_each_group_goes_round_by_itself() -> None:
    turns = Turns()
    firsts = [turns.ordered(group("rotate"), MEMBERS)[0] for _ in range(4)]
    assert firsts == ["101", "lukas", "group:night", "101"]
    assert turns.ordered(group("rotate", "other"), MEMBERS) == ["101", "lukas", "group:night"]


def test_a_group_that_has_lost_members_goes_on() -> None:
    turns = Turns()
    for _ in range(3):
        turns.ordered(group("rotate"), MEMBERS)
    assert turns.ordered(group("rotate"), {"lenka": "101"}) == ["101"]
    assert turns.ordered(group("rotate"), {}) == []


def test_who_has_taken_a_call_comes_last_whatever_number_the_group_has_of_him() -> None:
    turns = Turns()
    turns.note_answer("lenka", 5.0)
    turns.note_answer("lukas", 3.0)
    assert turns.ordered(group("idle"), MEMBERS) == ["group:night", "lukas", "101"]


calls = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["rotate", "idle"])), max_size=20)


@given(calls, st.randoms())
def test_routers_that_tell_one_another_come_to_the_same(drawn: list[tuple[str, str]], random: Random) -> None:
    """In any order, and more than once."""
    routers = {name: Turns() for name in "abc"}
    told: list[tuple[str, float]] = []
    for at, (router, way) in enumerate(drawn):
        if way == "idle":
            routers[router].note_answer("lenka", float(at))
        else:
            routers[router].ordered(group(way), MEMBERS)
        told += [(name, number) for name, number in routers[router].take_changes().items() if number]
    for each in routers.values():
        heard = [*told, *told]
        random.shuffle(heard)
        for name, number in heard:
            each.learn(name, number)
        assert each.take_changes() == {}
    first, second, third = (dict(each.all()) for each in routers.values())
    assert first == second == third


def test_who_has_changed_least_lately_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.core.turns.MOST", 2)
    turns = Turns()
    for name, at in (("a", 1.0), ("b", 2.0), ("a", 3.0), ("c", 4.0)):
        turns.note_answer(name, at)
    assert (turns.all(), turns.take_changes()) == ([("a", 3.0), ("c", 4.0)], {"a": 3.0, "b": None, "c": 4.0})


@pytest.mark.parametrize(
    "item",
    [
        None,
        [],
        ["a"],
        ["a", "b"],
        [1, 2],
        ["a", float("nan")],
        ["a", float("inf")],
        ["a" * 301, 1],
        ["a", 1, 1],
    ],
)
def test_what_is_no_turn(item: object) -> None:
    assert read_turn(item) is None
