"""Rules in words."""

from switchboard.core.call_rules import WAYS, Group, UserRules
from switchboard.registrar.rule_keeper import map_of
from switchboard.registrar.rule_words import WAYS as WORDS
from switchboard.registrar.rule_words import group_lines, lines_of, sentence

ALL = UserRules("101", "lukas", "group:office", "eva", 15, True, ("102", "103"))


def test_a_user_in_the_order_of_a_call() -> None:
    assert lines_of(map_of(ALL) or {}) == [
        ("always", "101"),
        ("do not disturb", "lukas"),
        ("at the same time", "102, 103"),
        ("busy", "lukas"),
        ("no answer for 15 s", "group:office"),
        ("not registered", "eva"),
    ]
    lines = lines_of(map_of(UserRules(dnd=True)) or {})
    assert sentence("lenka", lines) == "lenka: do not disturb → nobody rings"


def test_a_group() -> None:
    assert WORDS.keys() == set(WAYS)
    group = Group("office", ("lenka", "101"), "turn", 10, "boss")
    assert group_lines(map_of(group) or {}) == [
        ("one after the other", "lenka, 101"),
        ("nobody for 10 s", "boss"),
    ]
    assert len(group_lines(map_of(Group("office", ("lenka",))) or {})) == 1
