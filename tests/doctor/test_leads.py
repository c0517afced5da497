"""Numbers and rules of the settings that lead to nobody."""

import pytest

from switchboard.doctor.leads import check_leads
from switchboard.settings.model import Settings

USERS = {"lenka": {"numbers": ["12"], "dial_class": "staff"}}


def found(**settings: object) -> list[str]:
    made = Settings.model_validate({"users": USERS, **settings})
    return [
        each.found
        for each in check_leads(made, lambda user: user == "lenka", lambda group: group == "office")
    ]


def trunk(**more: object) -> dict[str, object]:
    return {"p": {"registrar": "voip.example", "user": "481", **more}}


@pytest.mark.parametrize("to", ["lenka", "user:lenka", "12", "group:office"])
def test_whom_there_is(to: str) -> None:
    assert found(trunks=trunk(numbers={"+42155": to}, callers={"lenka": "+42155"})) == []


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("lena", "+42155 of trunk p leads to lena, who has not registered lately"),
        ("user:lena", "+42155 of trunk p leads to user:lena, who has not registered lately"),
        ("13", "+42155 of trunk p leads to 13, who has not registered lately"),
        ("group:ofice", "+42155 of trunk p leads to group:ofice, and there is no such group"),
    ],
)
def test_a_number_that_leads_to_nobody(to: str, words: str) -> None:
    assert found(trunks=trunk(numbers={"+42155": to})) == [words]


def test_a_trunk_without_numbers_calls_nobody() -> None:
    assert found(trunks=trunk()) == ["trunk p has no numbers, so who calls by it hears 404"]
    assert found(trunks=trunk(register=False)) == []


def test_callers_and_rules_of_nobody() -> None:
    rules = [
        {"match": "7X", "to": "user:lena"},
        {"match": "8X", "to": "user:lenka", "classes": ["staff", "boss"]},
        {"match": "9X", "name": "nines", "to": "refuse", "classes": ["boss"]},
    ]
    trunks = trunk(numbers={"*": "lenka"}, callers={"lena": "+42155"})
    assert found(trunks=trunks, dialplan={"rules": rules}) == [
        "callers of trunk p has lena, who has not registered lately",
        "the rule 7X of the dial plan leads to lena, who has not registered lately",
        "the rule nines of the dial plan is for boss only, which nobody is",
    ]


def test_nothing_is_said_while_nobody_can_say() -> None:
    made = Settings.model_validate({"trunks": trunk(numbers={"1": "lena", "2": "group:x"})})
    assert list(check_leads(made, lambda _: None, lambda _: None)) == []
