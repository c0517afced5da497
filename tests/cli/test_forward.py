"""`switchboard forward`, `dnd` and `group`, without a registrar and with one."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Run

from switchboard.cli import registrar
from switchboard.core.call_rules import MOST_MEMBERS
from switchboard.registrar.rule_store import RuleStore

Answering = Callable[[str, str, Any], list[Any]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registrar, "ANSWER_S", 0.02)


def kept(data_dir: Path) -> dict[str, str]:
    with closing(RuleStore(data_dir / "rules.db")) as store:
        return {each.name: each.body for each in store.all()}


def lines(text: str) -> list[list[str]]:
    """The cells of a table."""
    return [[cell for cell in line.split("  ") if cell] for line in text.splitlines()]


def test_rules_are_set_shown_and_cleared(switchboard: Run, data_dir: Path) -> None:
    switchboard("user", "add", "lukas", "--generate")
    done = switchboard("forward", "lenka", "--busy", "lukas", "--no-answer", "group:office", "--after", "15")
    assert done.status == 0
    assert [[each.strip() for each in row] for row in lines(done.stdout)] == [
        ["user", "when", "goes to"],
        ["lenka", "busy", "lukas"],
        ["lenka", "no answer for 15 s", "group:office"],
    ]
    assert done.stderr.splitlines() == [
        "Note: lenka is no user yet, and is not registered.",
        "Note: there is no group office yet: switchboard group add office USER.",
    ]
    assert kept(data_dir) == {"lenka": '["","lukas","group:office","",15,false,[]]'}
    assert switchboard("forward", "lenka").stdout == done.stdout == switchboard("forward").stdout
    switchboard("forward", "lenka", "--busy", "", "--no-answer", "none")
    assert kept(data_dir) == {}
    assert "The phones of lenka ring" in switchboard("forward", "lenka").stderr
    assert "Nobody's calls are forwarded" in switchboard("forward").stderr


def test_all_cases_and_off(switchboard: Run, data_dir: Path) -> None:
    told = switchboard(
        *("forward", "lenka", "--always", "101", "--unregistered", "lukas"),
        *("--also", "+421905123456", "--also", "lukas", "--json"),
    )
    rules = json.loads(told.stdout)["rules"]
    assert (rules["always"], rules["unregistered"], rules["also"]) == (
        "101",
        "lukas",
        ["+421905123456", "lukas"],
    )
    assert switchboard("dnd", "lenka", "on").status == 0
    assert [each["name"] for each in json.loads(switchboard("forward", "--json").stdout)["users"]] == [
        "lenka"
    ]
    switchboard("forward", "lenka", "--off")
    assert kept(data_dir) == {"lenka": '["","","","",20,true,[]]'}
    switchboard("dnd", "lenka", "off")
    assert kept(data_dir) == {}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("lenka", "--busy", "two words"), "'two words' is no destination"),
        (("lenka", "--always", "sip:nobody@"), "names no user at a host"),
        (("lenka", "--always", "lenka"), "lenka again"),
        (("lenka", "--after", "999"), "1 to 180 seconds"),
        (("a b", "--busy", "lukas"), "'a b' cannot be a user"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    switchboard: Run, data_dir: Path, arguments: tuple[str, ...], why: str
) -> None:
    done = switchboard("forward", *arguments)
    assert done.status == 1
    assert why in done.stderr
    assert kept(data_dir) == {}


def test_whose_calls_has_to_be_said(switchboard: Run) -> None:
    assert switchboard("forward", "--busy", "lukas").status == 2


def test_groups_are_made_changed_listed_and_deleted(switchboard: Run) -> None:
    switchboard("forward", "lenka", "--busy", "group:office")
    done = switchboard(
        "group", "add", "office", "lenka", "lukas", "0905123456", "--way", "rotate", "--then", "eva"
    )
    assert done.status == 0
    switchboard("group", "add", "office", "--after", "15", "--then", "none")
    switchboard("group", "remove", "office", "lukas")
    shown = json.loads(switchboard("group", "show", "office", "--json").stdout)
    assert shown["rules"] == {"members": ["lenka", "0905123456"], "way": "rotate", "after_s": 15, "then": ""}
    assert lines(switchboard("group", "list").stdout)[1] == ["office", "lenka, 0905123456", "rotate", "15 s"]
    assert [each["name"] for each in json.loads(switchboard("group", "list", "--json").stdout)["groups"]] == [
        "office"
    ]
    assert "the rules of lenka still lead to group:office" in switchboard("group", "delete", "office").stderr
    gone = switchboard("group", "show", "office")
    assert (gone.status, gone.stderr) == (1, "There is no group office: switchboard group list.\n")
    assert "There are no groups" in switchboard("group", "list").stderr


def test_a_group_is_refused_in_words(switchboard: Run) -> None:
    many = [f"user{each}" for each in range(10_000)]
    assert f"at most {MOST_MEMBERS} members, not 10000" in switchboard("group", "add", "office", *many).stderr
    assert "a group has members" in switchboard("group", "add", "office").stderr
    switchboard("group", "add", "sales", "group:office")
    assert "member of itself" in switchboard("group", "add", "office", "group:sales").stderr
    assert switchboard("group", "add", "office", "lenka", "--way", "loudly").status == 2


def test_a_running_registrar_is_asked(
    switchboard: Run, answering: Answering, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registrar, "ANSWER_S", 20.0)
    asked = answering("registrar.0.ask", "rules.set", {"name": "lenka", "rules": None, "notes": ["so it is"]})
    done = switchboard("dnd", "lenka", "off")
    assert asked == [["lenka", {"dnd": False}]]
    assert "Note: so it is." in done.stderr
    answering("registrar.0.ask", "rules.group.delete", {"refused": "there is none"})
    assert switchboard("group", "delete", "office").stderr == "Nothing was changed: there is none.\n"
    assert not (data_dir / "rules.db").exists()


def test_who_leads_to_a_user_who_goes_is_told(switchboard: Run, data_dir: Path) -> None:
    switchboard("user", "add", "lenka", "--generate")
    switchboard("forward", "lenka", "--busy", "lukas")
    switchboard("group", "add", "office", "lenka", "lukas")
    done = switchboard("user", "remove", "lenka")
    assert "the rules of group:office still lead to lenka" in done.stderr
    assert list(kept(data_dir)) == ["group:office"]
