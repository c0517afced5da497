"""What people are told when they set rules."""

from collections.abc import Collection
from dataclasses import replace

import pytest

from switchboard.core.call_rules import Group, StaticRules, UserRules
from switchboard.core.dial_plan import DialPlan, Rule, pattern_of
from switchboard.registrar.rule_checks import End, Surroundings, check_group, check_user
from switchboard.sip.uri import SipUri

USERS = ("lenka", "lukas", "eva", "jan")


def around(known: Collection[str] = USERS, plan: DialPlan | None = None) -> Surroundings:
    def owns(uri: SipUri) -> bool:
        return uri.host == "pbx"

    return Surroundings(known.__contains__, owns, plan, max_forks=3)


PLAN = DialPlan(
    (
        Rule("mobile", pattern_of("09*"), uris=("sip:gw.example",)),
        Rule("dear", pattern_of("0900*"), status=403),
        Rule("office", pattern_of("5"), user="group:office"),
    ),
    numbers={"101": "lukas"},
)


@pytest.mark.parametrize(
    ("destination", "end"),
    [
        ("lukas", End("user", "lukas")),
        ("group:office", End("group", "office")),
        ("sip:lukas@pbx", End("user", "lukas")),
        ("sip:eva@example.org", End("foreign", "sip:eva@example.org")),
        ("101", End("user", "lukas")),
        ("sip:101@pbx", End("user", "lukas")),
        ("0905123456", End("outside", "sip:0905123456@gw.example;user=phone")),
        ("5", End("group", "office")),
    ],
)
def test_where_destinations_lead(destination: str, end: End) -> None:
    assert around(plan=PLAN).end_of(destination) == end
    if destination != "lukas" and not destination[0].isdigit() and "101" not in destination:
        assert around().end_of(destination) == end


@pytest.mark.parametrize("destination", ["lenka", "sip:lenka@pbx"])
def test_nobody_is_forwarded_to_the_same_user(destination: str) -> None:
    for rules in (UserRules(busy=destination), UserRules(also=(destination,))):
        with pytest.raises(ValueError, match="lenka cannot be forwarded to .*lenka again"):
            check_user("lenka", rules, StaticRules(), around())


def test_a_circle_without_a_way_out_is_refused() -> None:
    book = StaticRules({"lukas": UserRules(always="eva"), "eva": UserRules(always="lenka")})
    with pytest.raises(ValueError, match="round for ever: lenka → lukas → eva → lenka"):
        check_user("lenka", UserRules(always="lukas"), book, around())
    assert check_user("lenka", UserRules(always="jan"), book, around()) == []


def test_a_circle_with_a_way_out_is_noted() -> None:
    """Two who stand in for each other when busy."""
    book = StaticRules({"lukas": UserRules(busy="lenka")})
    [note] = check_user("lenka", UserRules(busy="lukas"), book, around())
    assert note == "busy: lenka → lukas → lenka comes back to lenka, where the call ends"
    [note] = check_user("lenka", UserRules(always="lukas"), book, around())
    assert note.startswith("always: ")


def test_a_circle_through_a_group_is_noted() -> None:
    book = StaticRules({}, [Group("office", ("eva", "lukas"), then="lenka")])
    for group in ("group:office", "office"):
        [note] = check_user("lenka", UserRules(always=group), book, around())
        assert "lenka → group:office → lenka" in note


def test_who_is_a_member_of_the_group_that_stands_in_is_no_circle() -> None:
    book = StaticRules({"lukas": UserRules(always="lenka")}, [Group("office", ("lenka", "lukas"))])
    rules = UserRules(no_answer="group:office", also=("group:office",))
    assert check_user("lenka", rules, book, around()) == []


def test_who_is_not_there_yet_is_noted() -> None:
    notes = check_user("anna", UserRules(busy="nobody", no_answer="group:none"), StaticRules(), around())
    assert notes == [
        "no users yet, and not registered: anna, nobody",
        "there is no group none yet: switchboard group add none USER",
    ]
    assert check_user("lenka", UserRules(busy="x"), StaticRules(), around()) == [
        "x is no user yet, and is not registered"
    ]
    assert check_user("anna", UserRules(), StaticRules(), around()) == []


def test_many_who_are_not_there_are_not_all_named() -> None:
    names = tuple(f"u{each:02}" for each in range(25))
    [note] = check_group(Group("office", names, "turn"), StaticRules(), around())
    assert note.endswith("u08, u09 and 15 more")


def test_other_domains_and_what_the_plan_refuses_are_noted() -> None:
    rules = UserRules(busy="sip:x@example.org", no_answer="0900123")
    plan = DialPlan(PLAN.rules[1:], numbers=PLAN.numbers)
    first, second = check_user("lenka", rules, StaticRules(), around(plan=plan))
    assert "another domain" in first
    assert second == "calls to 0900123 are refused: 403 by the rule dear of the dial plan"


def test_nobody_forwards_to_an_emergency_number() -> None:
    plan = DialPlan(emergency=frozenset({"112"}), emergency_uris=("sip:gw.example",))
    [note] = check_user("lenka", UserRules(busy="112"), StaticRules(), around(plan=plan))
    assert note == "calls to 112 are refused: nobody forwards to an emergency number"


def test_who_may_not_forward_to_other_domains_is_told() -> None:
    [note] = check_user(
        "lenka",
        UserRules(busy="sip:x@example.org"),
        StaticRules(),
        replace(around(), foreign_users=("lukas",)),
    )
    assert "to which lenka may not forward" in note


def test_a_group_is_no_member_of_itself() -> None:
    book = StaticRules(groups=[Group("sales", ("eva", "group:office")), Group("office", ("lenka",))])
    with pytest.raises(ValueError, match="member of itself: office → group:sales → group:office"):
        check_group(Group("office", ("lenka", "group:sales")), book, around())
    with pytest.raises(ValueError, match="member of itself"):
        check_group(Group("office", ("group:office",)), book, around())


def test_a_group_leads_somewhere_else_at_its_end() -> None:
    with pytest.raises(ValueError, match="cannot be office again"):
        check_group(Group("office", ("lenka",), then="group:office"), StaticRules(), around())
    book = StaticRules({"jan": UserRules(always="group:office")})
    [note] = check_group(Group("office", ("lenka",), then="jan"), book, around())
    assert "office → jan → group:office comes back" in note


def test_a_group_has_members() -> None:
    with pytest.raises(ValueError, match="group add office USER"):
        check_group(Group("office", ()), StaticRules(), around())


def test_a_group_with_the_name_or_number_of_a_user_is_noted() -> None:
    office = Group("office", ("eva",))
    assert check_group(office, StaticRules(), around(plan=PLAN)) == []
    for name, user in (("lenka", "lenka"), ("101", "lukas")):
        [note] = check_group(replace(office, name=name), StaticRules(), around(plan=PLAN))
        assert note == f"calls to {name} go to the user {user}: this group is called as group:{name} only"
    [note] = check_user("office", UserRules(always="eva"), StaticRules(groups=[office]), around())
    assert note == "office is a group, and no user: calls to that name go to the group"


def test_a_large_group_is_told_how_many_ring() -> None:
    [note] = check_group(Group("office", USERS), StaticRules(), around())
    assert note == "office has 4 members, and one call rings at 3 phones at most (max_forks)"
    assert check_group(Group("office", USERS, way="turn"), StaticRules(), around()) == []


def test_a_walk_ends_in_a_tangle() -> None:
    groups = [Group(f"g{a}", tuple(f"group:g{b}" for b in range(40) if b != a)) for a in range(40)]
    assert check_group(Group("top", ("group:g0",)), StaticRules(groups=groups), around()) == []


def test_members_are_walked_along_once() -> None:
    class Counting(StaticRules):
        looks = 0

        def group(self, name: str) -> Group | None:
            self.looks += 1
            return super().group(name)

    names = [f"group:g{each}" for each in range(100)]
    book = Counting(
        groups=[Group(f"g{a}", tuple(name for name in names if name != f"group:g{a}")) for a in range(100)]
    )
    check_group(Group("top", tuple(names)), book, around())
    assert book.looks < 1000
