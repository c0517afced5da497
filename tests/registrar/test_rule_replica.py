"""The rules as a router knows them."""

from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from switchboard.core.call_rules import Group, UserRules
from switchboard.registrar.rule_replica import RuleReplica
from switchboard.registrar.rule_store import RuleRecord, RuleStore
from switchboard.storage.records import Page, PageFollower, StoreFollower

AT = 1_700_000_000.0
LENKA = UserRules(busy="lukas")
OFFICE = Group("office", ("lenka", "lukas"), then="jan")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RuleStore]:
    with closing(RuleStore(tmp_path / "rules.db")) as store:
        yield store


def test_it_follows_the_store_and_tells_whose_rules_have_changed(store: RuleStore) -> None:
    told: list[Collection[str]] = []
    rules = RuleReplica(told.append)
    follower = StoreFollower(rules, lambda after: store.page(after, 1))
    assert not rules
    store.put("lenka", LENKA, AT)
    store.put("group:office", OFFICE, AT)
    follower.told(*store.state())
    assert (rules.of("lenka"), rules.group("office")) == (LENKA, OFFICE)
    assert rules
    assert (rules.of("office"), rules.of("group:office"), rules.group("lenka")) == (None, None, None)
    store.put("lenka", None, AT)
    follower.told(*store.state())
    assert rules.of("lenka") is None
    assert told == [{"lenka"}, {"group:office"}, {"lenka"}]


def test_another_store_in_its_place_tells_of_all(store: RuleStore, tmp_path: Path) -> None:
    told: list[Collection[str]] = []
    rules = RuleReplica(told.append)
    store.put("lenka", LENKA, AT)
    StoreFollower(rules, lambda after: store.page(after, 9)).start()
    with closing(RuleStore(tmp_path / "other.db")) as other:
        other.put("group:office", OFFICE, AT)
        StoreFollower(rules, lambda after: other.page(after, 9)).told(*other.state())
    assert told[1:] == [{"lenka", "group:office"}]
    assert rules.of("lenka") is None


def test_a_router_elsewhere_gets_pages_and_keeps_a_copy(store: RuleStore, tmp_path: Path) -> None:
    asked: list[int] = []
    for number in range(5):
        store.put(f"user{number}", LENKA, AT)
    with closing(RuleStore(tmp_path / "copy.db")) as copy:
        rules = RuleReplica()
        follower = PageFollower(rules, copy, asked.append)
        follower.told(*store.state())
        while asked:
            follower.take_page(store.page(asked.pop(), 2).to_wire())
        assert len(rules) == 5
        successor = RuleReplica()
        PageFollower(successor, copy, asked.append).start()
        assert (successor.of("user4"), successor.number) == (LENKA, 5)


def test_what_it_cannot_understand_counts_as_none() -> None:
    rules = RuleReplica()
    rules.apply(Page("s", 0, [RuleRecord(1, "lenka", '{"of": "a later program"}', AT)], more=False))
    assert (rules.of("lenka"), rules.of("lenka"), rules.unreadable) == (None, None, 1)


def test_who_leads_to_somebody(store: RuleStore) -> None:
    store.put("lenka", LENKA, AT)
    store.put("group:lukas", Group("lukas", ("jan",)), AT)
    store.put("group:office", OFFICE, AT)
    rules = RuleReplica()
    StoreFollower(rules, lambda after: store.page(after, 9)).start()
    for _ in range(2):
        assert sorted(rules.naming("lukas")) == ["group:office", "lenka"]
        assert rules.naming("eva") == []
        rules.group("lukas"), rules.of("lenka")


def test_a_page_that_does_not_follow_is_not_taken() -> None:
    rules = RuleReplica()
    assert rules.apply(Page("s", 0, [], more=False))
    assert not rules.apply(Page("s", 3, [], more=False))
    assert not rules.apply(Page("t", 0 + 1, [], more=False))
