"""The rules on disk."""

from contextlib import closing
from pathlib import Path

import pytest
from postgres_server import PostgresServer
from storage.damage import KINDS, overwrite

from switchboard.core.call_rules import Group, UserRules
from switchboard.postgres.records import PostgresRecords
from switchboard.postgres.url import PostgresUrl
from switchboard.registrar.rule_store import (
    RULES,
    RuleRecord,
    RuleStore,
    SharedRuleStore,
    body_of,
    read_body,
    read_page,
)
from switchboard.storage.mending import reports

AT = 1_700_000_000.0
LENKA = UserRules(busy="lukas", no_answer="group:büro", after_s=15, also=("101",))
OFFICE = Group("büro", ("lenka", "lukas"), "rotate", 10, "jan")


@pytest.mark.parametrize(("name", "rules"), [("lenka", LENKA), ("group:büro", OFFICE)])
def test_rules_are_texts_that_can_be_read_again(name: str, rules: UserRules | Group) -> None:
    assert read_body(name, body_of(rules)) == rules


@pytest.mark.parametrize(
    "body", ["", "{", "7", "[]", '["a"]', '["", "", "", "", "x", false, []]', "[" * 9999]
)
def test_what_is_none_is_refused_in_words(body: str) -> None:
    for name in ("lenka", "group:office"):
        with pytest.raises(ValueError, match="."):
            read_body(name, body)


def test_they_are_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "rules.db"
    with closing(RuleStore(path)) as store:
        store.put("lenka", LENKA, AT)
        store.put("group:büro", OFFICE, AT)
        store.put("lukas", UserRules(dnd=True), AT)
        store.put("lukas", None, AT + 1)
        before = store.state()
    with closing(RuleStore(path)) as again:
        assert again.state() == before
        assert [each.name for each in again.all()] == ["group:büro", "lenka"]
    page = read_page(path, 0, 10)
    assert page
    assert page.records[-1] == RuleRecord(4, "lukas", "", AT + 1)


def test_of_a_damaged_file_what_can_be_read_stays(tmp_path: Path) -> None:
    path = tmp_path / "rules.db"
    with closing(RuleStore(path)) as store:
        for number in range(300):
            store.put(f"user{number:03}", LENKA, AT)
    overwrite(path, 3, KINDS["rubbish"])
    with closing(RuleStore(path)) as again:
        assert 200 < len(again.all()) <= 300
        [report] = reports(path)
        assert "switchboard restore DIR users" in report.advice


def test_several_switchboards_share_them(tmp_path: Path, postgres: PostgresServer) -> None:
    url = PostgresUrl.parse(postgres.url(postgres.database()))

    def open_store(name: str) -> SharedRuleStore:
        return SharedRuleStore(tmp_path / name, lambda: PostgresRecords(RULES, url), follows=False)

    with closing(RuleStore(tmp_path / "one.db")) as alone:
        alone.put("lenka", LENKA, AT)
    with closing(open_store("one.db")) as one:
        assert (one.joined, one.writing.error) == (1, 0)
        one.put("group:büro", OFFICE, AT)
        one.put("lenka", None, AT + 1)
    with closing(open_store("other.db")) as other:
        assert [each.name for each in other.all()] == ["group:büro"]
