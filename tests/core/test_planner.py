"""Plans of calls, made of any rules."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playbook import Board

from switchboard.codec import pack, unpack
from switchboard.core.call_plan import Plan, restore_stage
from switchboard.core.call_rules import MOST_MEMBERS, WAYS, Group, StaticRules, UserRules
from switchboard.core.dial_plan import DialPlan
from switchboard.core.planner import MOST_FORWARDS, MOST_STAGES, Planner
from switchboard.core.stages import Stages
from switchboard.core.targets import TargetPolicy

NAMES = ("lenka", "lukas", "peter", "101")
GROUPS = ("office", "night")
destinations = st.sampled_from(
    [
        *NAMES,
        *(f"group:{name}" for name in (*GROUPS, "nobody")),
        "sip:eva@other.example",
        "sip:lukas@10.0.0.1",
    ]
)
maybe = st.one_of(st.just(""), destinations)
user_rules = st.builds(
    UserRules,
    maybe,
    maybe,
    maybe,
    maybe,
    st.integers(1, 180),
    st.booleans(),
    st.lists(destinations, max_size=3).map(tuple),
)
members = st.lists(destinations, max_size=5).map(tuple)


def groups(name: str) -> st.SearchStrategy[Group]:
    return st.builds(Group, st.just(name), members, st.sampled_from(WAYS), st.integers(1, 180), maybe)


rules = st.builds(
    StaticRules, st.dictionaries(st.sampled_from(NAMES), user_rules), st.tuples(*map(groups, GROUPS))
)


@cache
def policy() -> TargetPolicy:
    return Board().proxy.env.policy


def plan_of(drawn: StaticRules, callee: str, caller: str = "") -> Plan:
    return Planner(drawn, policy(), 4).plan(callee, caller, 0.0)


@settings(max_examples=100)
@given(rules, st.sampled_from([*NAMES, "group:office", "group:night"]), st.sampled_from(["", *NAMES]))
def test_every_plan_ends_is_bounded_and_survives_the_log(
    drawn: StaticRules, callee: str, caller: str
) -> None:
    plan = plan_of(drawn, callee, caller)
    assert 1 <= len(plan) <= 4 * MOST_STAGES
    for place, stage in enumerate(plan):
        followers = {stage.busy, stage.silent, stage.absent, stage.failed} - {0}
        assert all(place < follower < len(plan) for follower in followers)
        assert len(stage.callees) <= 5
        assert len({each for each in stage.callees if each.user}) == len(
            [each for each in stage.callees if each.user]
        )
        assert len(stage.forwards) <= MOST_FORWARDS + 1
        assert 0 <= stage.fresh <= len(stage.forwards)
        assert stage.callees or stage.status >= 400
        assert caller in ("", callee) or caller not in [each.user for each in stage.callees]
    assert tuple(restore_stage(each) for each in unpack(pack([each.saved() for each in plan]))) == plan


@settings(max_examples=50)
@given(rules)
def test_who_does_not_want_to_be_disturbed_is_called_by_nobody(drawn: StaticRules) -> None:
    drawn.users["lenka"] = UserRules(dnd=True)
    for callee in ("lenka", "lukas", "group:office"):
        assert all(each.user != "lenka" for stage in plan_of(drawn, callee) for each in stage.callees)


@settings(max_examples=50)
@given(rules)
def test_nobody_s_own_call_comes_to_him_by_a_group(drawn: StaticRules) -> None:
    plan = plan_of(drawn, "group:office", "peter")
    first = plan[0]
    assert first.forwards or all(each.user != "peter" for each in first.callees)


@settings(max_examples=50)
@given(rules)
def test_where_a_call_is_in_its_plan_survives_the_log(drawn: StaticRules) -> None:
    stages = Stages(plan_of(drawn, "lenka"))
    stages.next([])
    found = Stages.restore(unpack(pack(stages.saved()), lists=False))
    assert (found.stage, found.saved()) == (stages.stage, stages.saved())


@pytest.mark.parametrize("to", ["lenka", "101", "sip:lenka@10.0.0.1", "sip:101@10.0.0.1"])
def test_a_rule_that_leads_to_who_calls_does_not_hold(to: str) -> None:
    """The secretary, to whom the calls of the boss go, reaches the boss, however the rule names her."""
    around = Board(dial_plan=DialPlan(numbers={"101": "lenka"})).proxy.env.policy
    drawn = StaticRules(
        {
            "away": UserRules(always=to),
            "boss": UserRules(busy=to, no_answer=to, unregistered=to),
            "resting": UserRules(busy=to, dnd=True),
        },
        [Group("office", ("jan",), then=to)],
    )
    planner = Planner(drawn, around)
    for callee in ("away", "boss", "group:office"):
        (stage,) = planner.plan(callee, "lenka", 0.0)
        assert [each.user for each in stage.callees] == ["jan" if "office" in callee else callee]
    assert [each.status for each in planner.plan("resting", "lenka", 0.0)] == [480]
    assert len(planner.plan("boss", "jan", 0.0)) == 4


def test_a_group_leaves_out_whom_the_call_has_passed() -> None:
    """One who is not called spends no turn, and no seconds."""
    office = Group("office", ("lenka", "lukas", "eva"), "turn", 5, "group:night")
    drawn = StaticRules(
        {"lenka": UserRules(no_answer="group:office"), "jan": UserRules(always="group:office")},
        [office, Group("night", ("eva", "peter", "lenka"), "all", 9)],
    )
    called = [[each.user for each in stage.callees] for stage in plan_of(drawn, "lenka")]
    assert called == [["lenka"], ["lukas"], ["eva"], ["peter"], ["lukas"], ["eva"], ["peter"]]
    assert [each.limit_s for each in plan_of(drawn, "lenka")[:4]] == [20, 5, 5, 9]
    first, *_ = plan_of(drawn, "jan")
    assert [each.user for each in first.callees] == ["lenka"]


def test_a_group_of_nobody_else_goes_on_at_once() -> None:
    drawn = StaticRules(
        {"lenka": UserRules(busy="group:office", also=("sip:eva@other.example",))},
        [Group("office", ("lenka", "sip:eva@other.example"), then="peter")],
    )
    lenka, peter = plan_of(drawn, "lenka")
    assert (len(lenka.callees), lenka.busy) == (2, 1)
    assert [each.user for each in peter.callees] == ["peter"]


@settings(max_examples=100)
@given(rules, st.sampled_from([*NAMES, "group:office"]))
def test_a_group_rings_nowhere_twice(drawn: StaticRules, callee: str) -> None:
    """Along each way of a call, also by several groups."""
    drawn.users.clear()
    plan = plan_of(drawn, callee)
    called = [each for stage in plan for each in stage.callees if stage.limit_s]
    assert len(called) == len(set(called))


def test_thousands_of_groups_in_groups_are_bounded() -> None:
    """A chain of them, and groups that all have each other as members."""
    chain = [Group(f"g{number}", (f"group:g{number + 1}",), WAYS[number % 4]) for number in range(2000)]
    plan = plan_of(StaticRules({}, chain), "group:g0")
    assert plan[0].reason == "Nobody In The Group Can Be Called"
    everybody = tuple(f"group:g{number}" for number in range(100))
    web = [Group(f"g{number}", everybody, "turn") for number in range(100)]
    assert plan_of(StaticRules({}, web), "group:g0")[0].status == 480
    always = {f"u{number}": UserRules(always=f"u{number + 1}") for number in range(2000)}
    assert plan_of(StaticRules(always, [Group("g", ("u0",))]), "group:g")[0].status == 480


def test_large_groups_in_groups_are_not_looked_through_to_the_end() -> None:
    class Asked(StaticRules):
        asked = frozenset[str]()

        def group(self, name: str) -> Group | None:
            self.asked |= {name}
            return super().group(name)

    people = [tuple(f"u{number}-{each}" for each in range(MOST_MEMBERS - 1)) for number in range(12)]
    nested = [
        Group(f"g{number}", (f"group:g{number + 1}", *some), "turn") for number, some in enumerate(people)
    ]
    drawn = Asked(groups=nested)
    plan_of(drawn, "group:g0")
    assert "g1" in drawn.asked
    assert "g11" not in drawn.asked


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("inner_way", WAYS)
def test_large_groups_that_contain_each_other_ring_those_whom_they_can(way: str, inner_way: str) -> None:
    """14 of them, each the first member of the others: there is more to look at than may be."""
    names = [f"g{number}" for number in range(14)]

    def group(name: str) -> Group:
        others = [f"group:{each}" for each in names if each != name]
        users = [f"{name}-{number}" for number in range(MOST_MEMBERS - len(others))]
        return Group(name, (*others, *users), way if name == "g0" else inner_way)

    plan = plan_of(StaticRules({}, list(map(group, names))), "group:g0")
    assert sum(len(stage.callees) for stage in plan) >= 4  # as many as one call rings here


@pytest.mark.parametrize("way", WAYS)
def test_large_groups_of_nobody_leave_room_for_the_members(way: str) -> None:
    inner = [Group(f"g{at}", tuple(f"g{at}-{number}" for number in range(MOST_MEMBERS))) for at in range(14)]
    office = Group("office", (*(f"group:{each.name}" for each in inner), "lenka"), way)
    away = {name: UserRules(dnd=True) for each in inner for name in each.members}
    plan = plan_of(StaticRules(away, [office, *inner]), "group:office")
    assert [[each.user for each in stage.callees] for stage in plan] == [["lenka"]]


def test_a_group_of_more_than_can_be_looked_at_says_so() -> None:
    """Each member leads to another one, who does not want to be disturbed."""
    members = [f"m{number}" for number in range(MOST_MEMBERS)]
    drawn = StaticRules({}, [Group("office", tuple(members), "turn")])
    for name in members:
        drawn.users[name] = UserRules(always=f"{name}a")
        drawn.users[f"{name}a"] = UserRules(always=f"{name}b")
        drawn.users[f"{name}b"] = UserRules(dnd=True)
    (stage,) = plan_of(drawn, "group:office")
    assert (stage.status, stage.reason) == (480, "Too Many Members")
