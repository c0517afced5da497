from switchboard.core.call_rules import Group
from switchboard.core.turns import Turns

MEMBERS = {"lenka": "101", "lukas": "lukas", "group:night": "group:night"}


def group(way: str, name: str = "office") -> Group:
    return Group(name, tuple(MEMBERS.values()), way)


def test_in_turn_and_all_have_their_own_order() -> None:
    turns = Turns()
    for way in ("turn", "all", "turn"):
        assert turns.ordered(group(way), MEMBERS) == ["101", "lukas", "group:night"]


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
