import pytest

from switchboard.codec import pack, unpack
from switchboard.core.call_rules import (
    MOST_ALSO,
    MOST_MEMBERS,
    CallRules,
    Group,
    StaticRules,
    UserRules,
    check_destination,
    group_of,
)

RULES = UserRules("lukas", "101", "group:office", "+421905123456", 30, True, ("sip:lenka@example.org",))
OFFICE = Group("office", ("lenka", "group:others"), "rotate", 15, "group:night")


@pytest.mark.parametrize(
    "text", ["", "lukas", "101", "+421905123456", "*67", "group:office", "sip:a@b.example", "Žofia"]
)
def test_a_destination_is_a_user_a_number_a_group_or_a_uri(text: str) -> None:
    check_destination(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("group:", "no name of a group"),
        ("group:a b", "no name of a group"),
        ("lukas@example.org", "no destination"),
        ("two words", "no destination"),
        ("tel:+421905123456", "no destination"),
        ("a\r\nb", "no destination"),
        ("sip:", "no SIP URI"),
        ("sip:example.org", "no user at a host"),
        ("sip:a@b;method=BYE", "no user at a host"),
        ("sip:a@b?Replaces=1", "no user at a host"),
        ("sip:a@b>", "no SIP URI"),
        ("x" * 256, "at most 255 characters"),
    ],
)
def test_what_is_none_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_destination(text)


def test_rules_of_a_user_come_back_from_the_wire() -> None:
    assert UserRules.from_wire(unpack(pack(RULES.to_wire()))) == RULES


def test_a_group_comes_back_from_the_wire() -> None:
    assert Group.from_wire(unpack(pack(OFFICE.to_wire()))) == OFFICE


def test_rules_that_change_nothing_say_nothing() -> None:
    assert UserRules().says_nothing
    assert UserRules(after_s=40).says_nothing
    assert not UserRules(dnd=True).says_nothing
    assert not UserRules(also=("101",)).says_nothing


@pytest.mark.parametrize("after_s", [0, -1, 181])
def test_a_time_that_nobody_waits_is_refused(after_s: int) -> None:
    with pytest.raises(ValueError, match="1 to 180 seconds"):
        UserRules(after_s=after_s)
    with pytest.raises(ValueError, match="1 to 180 seconds"):
        Group("office", (), after_s=after_s)


def test_numbers_of_destinations_are_bounded() -> None:
    with pytest.raises(ValueError, match=f"at most {MOST_ALSO}"):
        UserRules(also=("a",) * (MOST_ALSO + 1))
    with pytest.raises(ValueError, match="at most 1000 members, not 10000"):
        Group("office", ("a",) * 10_000)
    assert len(Group("office", ("a",) * MOST_MEMBERS).members) == MOST_MEMBERS


@pytest.mark.parametrize(
    ("name", "members", "way", "said"),
    [
        ("", (), "all", "no name of a group"),
        ("a:b", (), "all", "no name of a group"),
        ("office", ("",), "all", "an empty name"),
        ("office", ("a b",), "all", "no destination"),
        ("office", (), "loud", "no way to call a group"),
    ],
)
def test_what_is_no_group_is_refused_in_words(
    name: str, members: tuple[str, ...], way: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Group(name, members, way)


def test_rules_of_a_mapping() -> None:
    rules: CallRules = StaticRules({"lenka": RULES}, [OFFICE])
    assert rules.of("lenka") is RULES
    assert rules.group(group_of("group:office")) is OFFICE
    assert rules.of("lukas") is None
    assert rules.group(group_of("office")) is None
    assert rules
    assert not StaticRules()
