"""The tables of docs/PHONES.md: what is shown of what was seen."""

import re
from pathlib import Path

import pytest
from interop.catalogue import STACKS
from interop.page import DEFAULT, MD5, OPEN, OWN, TRUSTED, Entry, Report, brief, failed, needs, page, row
from interop.stack import ALL
from interop.trial import Facts

WELL = dict.fromkeys(ALL, "yes")
STACK = STACKS[0]


def facts(**wrong: str) -> Facts:
    """Everything went well but for these steps, in whose names _ stands for blanks and commas."""
    outcomes = {name: wrong.get(re.sub(r"\W+", "_", name), "yes") for name in ALL}
    return Facts(outcomes, ["MD5"], "count", "yes", "yes")


def test_a_row_says_what_fails_and_what_to_set() -> None:
    wrong = facts(calls_hangs_up="407", is_called_hangs_up="|", is_called_is_hung_up="|")
    entry = Entry("1.0", "", {OPEN: facts(), DEFAULT: wrong, MD5: facts()})
    assert row(STACK, entry)[2:] == (
        "works",
        "**not:** calls, hangs up; is called",
        "works",
        "sends and gets",
        "followed",
        "MD5, again, counted",
        '`auth_algorithms = ["MD5"]` for all',
    )


def test_who_does_not_register_is_not_blamed_for_not_being_called() -> None:
    assert failed(facts(registers="no", is_called_hangs_up="404")) == ["registers"]


@pytest.mark.parametrize(
    ("default", "md5", "said"),
    [
        ("yes", "yes", "–"),
        ("407", "yes", '`auth_algorithms = ["MD5"]` for its user'),
        ("407", "407", "no passwords"),
    ],
)
def test_what_has_to_be_set(default: str, md5: str, said: str) -> None:
    settings = {OPEN: facts(), DEFAULT: facts(registers=default), MD5: facts(registers=md5)}
    settings[OWN] = settings[MD5]
    assert needs(Entry("1.0", "", settings)) == said


def test_what_fails_without_passwords_needs_no_setting() -> None:
    settings = {name: facts(calls_hangs_up="no BYE") for name in (OPEN, DEFAULT, MD5)}
    assert needs(Entry("1.0", "", settings)) == "–"


def test_the_page_has_each_stack_once_and_says_what_could_not_be_had(tmp_path: Path) -> None:
    report = Report(tmp_path / "facts.json")
    report.of(STACK).settings[OPEN] = facts()
    report.lack(STACKS[1], "not installed")
    report.save()
    text = page(Report(tmp_path / "facts.json"), STACKS[:2], [("Yate", "not in Debian 12")])
    assert text.count(f"| {STACK.name} |") == text.count(f"**{STACK.name}**") == 1
    assert f"| {STACKS[1].name} | not installed |" in text
    assert "| Yate | not in Debian 12 |" in text


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("no BYE", "no BYE"),
        ("no 200 to INVITE sip:a@10.77.0.1 SIP/2.0 (2 INVITE), only ['SIP/2.0 100", "no 200 to INVITE"),
        ("SIP/2.0 404 Not Found (2 INVITE) instead of 200 to INVITE", "404 Not Found"),
        ("INVITE did not come (407 to INVITE)", "INVITE did not come (407 to INVITE)"),
    ],
)
def test_outcomes_are_brief(outcome: str, said: str) -> None:
    assert brief(outcome) == said


def test_trust_is_said_to_help_where_it_did() -> None:
    settings = {OPEN: facts(), DEFAULT: facts(registers="401"), MD5: facts(registers="401")}
    assert needs(Entry("1.0", "", {**settings, TRUSTED: facts()})) == "`trusted`"


def test_stacks_differ_in_name() -> None:
    assert len({stack.slug for stack in STACKS}) == len(STACKS)
