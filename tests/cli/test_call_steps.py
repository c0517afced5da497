"""What `switchboard dialplan try` says of rules."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from cli.conftest import Run

from switchboard.cli import dialplan

Answering = Callable[[str, str, Any], list[Any]]
NONE: dict[str, Any] = {
    "always": "",
    "busy": "",
    "no_answer": "",
    "unregistered": "",
    "after_s": 20,
    "dnd": False,
    "also": [],
}
RULES = {
    "lenka": NONE | {"busy": "lukas", "no_answer": "group:office", "also": ["jan"]},
    "lukas": NONE | {"dnd": True},
    "eva": NONE | {"always": "lenka"},
}
OFFICE = {"members": ["jan", "dana"], "way": "turn", "after_s": 15, "then": "boss"}

GROUPS = {"office": OFFICE, "sales": OFFICE | {"members": ["dana", "eva"], "way": "all", "then": ""}}


@pytest.fixture
def registrar(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialplan, "LIMIT_S", 20.0)

    def told(rules: dict[str, Any] | None) -> dict[str, Any]:
        return {"name": "", "rules": rules, "notes": []}

    answering("registrar.0.ask", "rules.of", lambda user: told(RULES.get(user)))
    answering("registrar.0.ask", "rules.group", lambda name: told(GROUPS.get(name)))
    answering("registrar.0.ask", "location.known", lambda users: users)
    contact = {"contact_uri": "sip:jan@192.0.2.7"}
    answering("registrar.0.ask", "location.list", lambda _: ["life", [["jan", [contact]]], 0])


@pytest.mark.usefixtures("registrar")
def test_each_stage_of_a_call_is_told(switchboard: Run) -> None:
    done = switchboard("dialplan", "try", "eva", "--as", "boss", "--json")
    told = json.loads(done.stdout)
    assert [(each["rule"], each["found"]) for each in told["steps"]] == [
        ("users", "user eva"),
        ("eva: always → lenka", "lenka and jan ring for 20 s"),
        ("lenka: busy → lukas", "refused with 480 Do Not Disturb"),
        ("lenka: no answer for 20 s → group:office", "dana rings for 15 s"),
        ("lenka: not registered → group:office", "dana rings for 15 s"),
    ]
    assert told["requests"][0] == "INVITE sip:jan@192.0.2.7 (eva: always → lenka)"
    text = switchboard("dialplan", "try", "eva", "--as", "boss")
    assert "lenka: busy → lukas" in text.stdout
    assert text.stderr.count("INVITE sip:jan@192.0.2.7") == 1  # who has rung already is left out


@pytest.mark.usefixtures("registrar")
def test_a_setting_says_what_callers_hear_of_who_is_not_to_be_disturbed(switchboard: Run) -> None:
    done = switchboard("dialplan", "try", "lukas", DO_NOT_DISTURB_STATUS="603")
    assert "refused with 603 Do Not Disturb" in done.stdout
    assert done.stderr.splitlines()[-1] == "Nobody can be called now: 603 Do Not Disturb."


@pytest.mark.usefixtures("registrar")
def test_a_group_of_which_nobody_is_there_is_no_unknown_user(switchboard: Run) -> None:
    done = switchboard("dialplan", "try", "group:sales")
    assert "dana, lenka and jan ring for 15 s" in done.stdout
    alone = switchboard("dialplan", "try", "group:sales", "--as", "jan")
    assert alone.stderr.splitlines()[-1] == "Nobody can be called now: 480."


@pytest.mark.usefixtures("registrar")
def test_without_rules_it_is_as_ever(switchboard: Run) -> None:
    assert switchboard("dialplan", "try", "jan").stderr.splitlines()[1:] == ["INVITE sip:jan@192.0.2.7"]


def test_while_nobody_knows_the_rules_none_are_told(
    switchboard: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialplan, "LIMIT_S", 0.05)
    done = switchboard("dialplan", "try", "group:office")
    assert "No Such Group" not in done.stdout
    assert "It is not known who is registered" in done.stderr


@pytest.mark.parametrize(
    ("dialled", "found"),
    [
        ("*72101", "the registrar changes the rules of lenka: always → 101"),
        ("*73", "always off, busy off, no answer off, not registered off, also off"),
        ("*78", "the rules of lenka: do not disturb on"),
        ("*72", "refused with 484 Dial *72 And A Number"),
    ],
)
def test_a_star_code_is_told(switchboard: Run, dialled: str, found: str) -> None:
    codes = json.dumps({"always": "*72", "off": "*73", "dnd_on": "*78"})
    done = switchboard("dialplan", "try", dialled, "--as", "lenka", STAR_CODES=codes)
    assert done.status == 0
    assert found in done.stdout
    told = json.loads(switchboard("dialplan", "try", dialled, "--json", STAR_CODES=codes).stdout)
    assert (told["steps"][0]["rule"], told["requests"]) == ("star_codes", [])
