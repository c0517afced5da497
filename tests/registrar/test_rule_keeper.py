"""Rules are changed field by field, once they are checked."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from switchboard.core.call_rules import MOST_MEMBERS, UserRules
from switchboard.core.dial_plan import DialPlan
from switchboard.registrar.rule_checks import Surroundings
from switchboard.registrar.rule_keeper import RuleKeeper
from switchboard.registrar.rule_store import RuleStore

AT = 1_700_000_000.0
USERS = ("lenka", "lukas", "eva")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RuleStore]:
    with closing(RuleStore(tmp_path / "rules.db")) as store:
        yield store


@pytest.fixture
def keeper(store: RuleStore) -> RuleKeeper:
    around = Surroundings(USERS.__contains__, lambda _: True, DialPlan(numbers={"101": "lenka"}))
    return RuleKeeper(store, around, lambda: AT)


def put(keeper: RuleKeeper, user: str, **changes: Any) -> Any:
    return keeper.answer("rules.set", [user, changes])


def group(keeper: RuleKeeper, name: str, **changes: Any) -> Any:
    return keeper.answer("rules.group.set", [name, changes])


def test_only_what_is_named_changes(keeper: RuleKeeper) -> None:
    put(keeper, "lenka", busy="lukas", no_answer="eva", after_s=15)
    told = put(keeper, "lenka", busy="", dnd=True)
    assert told["rules"] == {
        "always": "",
        "busy": "",
        "no_answer": "eva",
        "unregistered": "",
        "after_s": 15,
        "dnd": True,
        "also": [],
    }
    assert told == keeper.answer("rules.of", "lenka") == keeper.answer("rules.of", "101")
    assert keeper.rules.of("lenka") == UserRules(no_answer="eva", after_s=15, dnd=True)


def test_what_says_nothing_is_removed(keeper: RuleKeeper, store: RuleStore) -> None:
    put(keeper, "lenka", busy="lukas")
    assert put(keeper, "101", busy="")["rules"] is None
    assert store.find("lenka") is None
    assert not keeper.rules


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"busy": "two words"}, "no destination"),
        ({"after_s": 0}, "1 to 180 seconds"),
        ({"after_s": "20"}, "after_s cannot be"),
        ({"after_s": True}, "after_s cannot be"),
        ({"dnd": 1}, "dnd cannot be"),
        ({"also": "lukas"}, "also cannot be"),
        ({"also": [1]}, "also cannot be"),
        ({"also": [""]}, "empty name"),
        ({"often": "x"}, "nobody knows often"),
        ({"always": "lenka"}, "lenka again"),
    ],
)
def test_what_nobody_can_want_is_refused_in_words(keeper: RuleKeeper, changes: Any, why: str) -> None:
    assert why in put(keeper, "lenka", **changes)["refused"]
    assert not keeper.rules


def test_a_user_has_a_name(keeper: RuleKeeper) -> None:
    for user in ("", "a b", "group:office", "x" * 65, "sip:lenka@pbx"):
        assert "cannot be a user" in put(keeper, user, busy="lukas")["refused"]


def test_a_number_may_have_spaces(keeper: RuleKeeper) -> None:
    told = put(keeper, "lenka", busy="0905 123 456", also=["+421 (905) 123-457"])
    assert (told["rules"]["busy"], told["rules"]["also"]) == ("0905123456", ["+421905123457"])
    assert "no destination" in put(keeper, "lenka", busy="lukas eva")["refused"]
    assert group(keeper, "out", add=["0905 123 456", "eva"])["rules"]["members"] == ["0905123456", "eva"]
    assert group(keeper, "out", remove=["0905 123 456"])["rules"]["members"] == ["eva"]


def test_a_group_grows_and_shrinks(keeper: RuleKeeper) -> None:
    assert group(keeper, "office", add=["lenka", "lukas"], way="turn")["rules"]["members"] == [
        "lenka",
        "lukas",
    ]
    told = group(keeper, "office", add=["lukas", "eva"], remove=["lenka"], then="101")
    assert told["rules"] == {"members": ["lukas", "eva"], "way": "turn", "after_s": 20, "then": "101"}
    assert keeper.answer("rules.group", "office") == told
    assert "not in the group" in group(keeper, "office", remove=["jan"])["refused"]
    assert "there is no group nobody" in group(keeper, "nobody", remove=["jan"])["refused"]
    assert "a group has members" in group(keeper, "office", members=[])["refused"]
    assert group(keeper, "office", members=["eva"])["rules"]["members"] == ["eva"]


def test_a_group_has_a_limit_that_is_told(keeper: RuleKeeper) -> None:
    told = group(keeper, "office", add=[f"user{each}" for each in range(10_000)])
    assert told == {"refused": f"at most {MOST_MEMBERS} members, not 10000"}


def test_who_leads_to_a_group_that_goes_is_told(keeper: RuleKeeper) -> None:
    group(keeper, "office", add=["eva"])
    for number in range(12):
        put(keeper, f"user{number:02}", busy="group:office")
    [note] = keeper.answer("rules.group.delete", "office")["notes"]
    assert note.startswith("the rules of user00, ")
    assert note.endswith(" and 2 more still lead to group:office")
    for question in ("rules.group", "rules.group.delete"):
        assert "no group office" in keeper.answer(question, "office")["refused"]


def test_the_rules_of_a_user_who_goes_go(keeper: RuleKeeper) -> None:
    put(keeper, "lenka", busy="lukas")
    put(keeper, "lukas", busy="lenka")
    keeper.forget("lenka")
    assert keeper.rules.of("lenka") is None
    assert keeper.answer("rules.naming", "lenka") == ["the rules of lukas still lead to lenka"]


def test_they_are_listed_by_name_page_by_page(keeper: RuleKeeper) -> None:
    put(keeper, "lenka", busy="lukas")
    put(keeper, "lukas", dnd=True)
    group(keeper, "office", add=["eva"])
    names = [each["name"] for each in keeper.answer("rules.list", ["", "", 9])]
    assert names == ["group:office", "lenka", "lukas"]
    [found] = keeper.answer("rules.list", ["", "lenka", 1])
    assert (found["name"], found["rules"]["dnd"]) == ("lukas", True)
    assert [each["name"] for each in keeper.answer("rules.list", ["group:", "", 9])] == ["group:office"]


def test_a_circle_that_came_from_elsewhere_is_told_and_not_refused(
    keeper: RuleKeeper, store: RuleStore
) -> None:
    store.put("lenka", UserRules(always="lukas"), AT)
    store.put("lukas", UserRules(always="lenka"), AT)
    keeper.follower.catch_up()
    told = keeper.answer("rules.of", "lenka")
    assert told["rules"]["always"] == "lukas"
    assert "round for ever" in told["notes"][0]


@pytest.mark.parametrize(
    ("question", "body"), [("rules.of", 5), ("rules.set", ["lenka"]), ("rules.what", None)]
)
def test_other_questions_are_none(keeper: RuleKeeper, question: str, body: object) -> None:
    with pytest.raises(LookupError):
        keeper.answer(question, body)
