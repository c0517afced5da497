"""The table [dialplan]: read, or refused in words."""

from pathlib import Path

import pytest

from switchboard.core.dial_plan import DialPlan
from switchboard.settings.model import load_settings
from switchboard.settings.origin import SettingsError

GOOD = """
[users.lenka]
numbers = ["101"]
dial_class = "staff"

[dialplan]
emergency = ["112"]
emergency_to = "sip:gw.example"

[[dialplan.rules]]
match = "0*"
strip = 1
prepend = "+421"
to = ["sip:gw.example:5070;transport=tcp", "sip:192.0.2.9"]
classes = ["staff"]

[[dialplan.rules]]
name = "desk"
match = "9"
to = "user:lenka"

[[dialplan.rules]]
match = "8*"
to = "refuse:404"
"""


def load(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> DialPlan | None:
    (tmp_path / "switchboard.toml").write_text(text)
    monkeypatch.setenv("SWITCHBOARD_CONFIG", str(tmp_path / "switchboard.toml"))
    return load_settings().make_dial_plan()


def test_a_whole_plan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plan = load(GOOD, monkeypatch, tmp_path)
    assert plan
    assert plan.find("0905", "lenka", lambda _name: False).uris == (
        "sip:+421905@gw.example:5070;transport=tcp;user=phone",
        "sip:+421905@192.0.2.9;user=phone",
    )
    assert plan.find("0905", "lukas", lambda _name: False).status == 403
    assert plan.find("9", "", lambda _name: False).user == "lenka"
    assert plan.find("81", "", lambda _name: False).status == 404
    assert plan.find("101", "", lambda _name: False).user == "lenka"
    assert plan.find("112", "", lambda _name: False).uris == ("sip:112@gw.example;user=phone",)


def test_numbers_in_the_form_of_the_country(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = GOOD.replace('"101"', '"02 5550 0101"').replace('"0*"', '"+*"')
    plan = load(text.replace("[dialplan]", '[dialplan]\ncountry = "SK"'), monkeypatch, tmp_path)
    assert plan
    assert plan.find("00421255500101", "", lambda _name: False).user == "lenka"


def test_a_country_is_no_plan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert load('[dialplan]\ncountry = "SK"\n', monkeypatch, tmp_path) is None


def test_without_one_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert load("[users.lenka]\nlanguage = 'sk'\n", monkeypatch, tmp_path) is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"0*"', '"zero"', "is no pattern"),
        ('["sip:gw.example:5070;transport=tcp", "sip:192.0.2.9"]', "[]", "one gateway"),
        ('"sip:192.0.2.9"', '"user:lenka"', "is no gateway"),
        ('"sip:gw.example:5070;transport=tcp", "sip:192.0.2.9"', '"gw.example"', "is no gateway"),
        ('"sip:gw.example:5070;transport=tcp", "sip:192.0.2.9"', '"sip:x@gw.example"', "is no gateway"),
        ('"refuse:404"', '"refuse:200"', "is no gateway"),
        ("transport=tcp", "transport=tpc", "is no gateway"),
        ("transport=tcp", "transport=ws", "is no gateway"),
        ("transport=tcp", "transport=tls", "needs the transport tls, which is not on"),
        ("gw.example:5070", "gw.example:0", "is no gateway"),
        ('"user:lenka"', '"user:group:"', "is no name of a group"),
        ('emergency_to = "sip:gw.example"', "", "emergency_to"),
        ('"112"', '"police"', "is no number"),
        ('numbers = ["101"]', 'numbers = ["front desk"]', "is no number"),
        ("strip = 1", "strip = -1", "greater than or equal to 0"),
        ("strip = 1", "skip = 1", "skip"),
        ('prepend = "+421"', 'prepend = "sip:"', "match pattern"),
        ("[dialplan]", '[dialplan]\ncountry = "Slovakia"', "is no country"),
    ],
)
def test_what_is_wrong_is_said(
    old: str, new: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError) as error:
        load(GOOD.replace(old, new, 1), monkeypatch, tmp_path)
    assert said in str(error.value)


def test_two_users_with_one_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="of lenka and of lukas"):
        load(f'{GOOD}\n[users.lukas]\nnumbers = ["101"]\n', monkeypatch, tmp_path)
