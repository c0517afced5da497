"""The tables [trunks.NAME], and the files with their passwords."""

import json
from pathlib import Path
from typing import Any

import pytest

from switchboard.core.trunks import Trunks
from switchboard.settings.model import Settings, SettingsError, load_settings
from switchboard.settings.trunks import PasswordError, password_path, read_password

GOOD: dict[str, Any] = {"registrar": "voip.example", "user": "481"}


def load(monkeypatch: pytest.MonkeyPatch, trunks: dict[str, Any], **more: Any) -> Settings:
    monkeypatch.setenv("SWITCHBOARD_TRUNKS", json.dumps(trunks))
    for name, value in more.items():
        monkeypatch.setenv(
            f"SWITCHBOARD_{name.upper()}", value if isinstance(value, str) else json.dumps(value)
        )
    return load_settings()


def test_a_trunk(monkeypatch: pytest.MonkeyPatch) -> None:
    table = GOOD | {
        "transport": "tcp",
        "numbers": {"+421 2 555".replace(" ", "-"): "lenka", "*": "front"},
        "caller": "+4212555",
        "callers": {"lenka": "+42125551"},
    }
    trunk = load(monkeypatch, {"p": table}).make_trunks()["p"]
    assert (trunk.uri, trunk.domain, trunk.auth_user) == (
        "sip:voip.example;transport=tcp",
        "voip.example",
        "481",
    )
    assert trunk.numbers == {"+4212555": "lenka", "*": "front"}
    assert [trunk.identity_of(user) for user in ("lenka", "lukas")] == [
        "sip:+42125551@voip.example",
        "sip:+4212555@voip.example",
    ]


def test_numbers_of_a_trunk_count_in_the_form_of_the_country(monkeypatch: pytest.MonkeyPatch) -> None:
    table = GOOD | {
        "numbers": {"02 555 001 01": "lenka", "+421255500101": "lenka", "102": "lukas"},
        "caller": "02 555 001 00",
        "callers": {"lenka": "0905123456", "lukas": "lukas.1"},
    }
    settings = load(monkeypatch, {"p": table}, dialplan={"country": "SK"})
    trunk = settings.make_trunks()["p"]
    assert (trunk.caller, trunk.callers) == (
        "+421255500100",
        {"lenka": "+421905123456", "lukas": "lukas.1"},
    )
    trunks = Trunks(b"k" * 32, {"p": trunk}, lambda _: "", settings.dialplan.normal)
    for dialled in ("+421255500101", "421255500101", "0255500101", "00421255500101"):
        assert trunks.has_number(dialled)
    assert not trunks.has_number("0255500102")


def test_a_number_of_a_trunk_leads_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    table = GOOD | {"numbers": {"0255500101": "lenka", "+421255500101": "lukas"}}
    with pytest.raises(SettingsError, match="leads to lukas, and in another form"):
        load(monkeypatch, {"p": table}, dialplan={"country": "SK"})


@pytest.mark.parametrize(
    ("name", "table", "words"),
    [
        ("P", GOOD, "trunk's name"),
        ("p", {"user": "481"}, "registrar"),
        ("p", GOOD | {"registrar": "sip:a@b"}, "no registrar"),
        ("p", GOOD | {"registrar": "voip.example;transport=tcp"}, "no registrar"),
        ("p", GOOD | {"user": "a b"}, "user part"),
        ("p", GOOD | {"auth_user": 'a"b'}, "user name"),
        ("p", GOOD | {"transport": "tls"}, "which is not on"),
        ("p", GOOD | {"numbers": {"anna": "lenka"}}, "no number"),
        ("p", GOOD | {"numbers": {"101": ""}}, "nobody"),
        ("p", GOOD | {"numbers": {"*": "group:"}}, "no name of a group"),
        ("p", GOOD | {"numbers": {"*": "trunk:other"}}, "no destination"),
        ("p", GOOD | {"numbers": {"*": "sip:eva@example.org"}}, "nobody"),
        ("p", GOOD | {"registrar": "voip.example:0"}, "no registrar"),
        ("p", GOOD | {"expires_s": 5}, "60"),
        ("p", GOOD | {"identity": "none", "caller": "1"}, "tells nobody"),
        ("p", GOOD | {"password": "secret"}, "password"),
        ("p", GOOD | {"sources": ["nowhere"]}, "not a network"),
    ],
)
def test_a_bad_trunk_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, name: str, table: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        load(monkeypatch, {name: table})


def test_a_rule_leads_to_a_trunk(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = {"rules": [{"match": "0*", "to": ["trunk:p", "sip:gateway.example"]}]}
    made = load(monkeypatch, {"p": GOOD}, dialplan=plan).make_dial_plan()
    assert made is not None
    lead = made.find("0905", "lenka", lambda _: False)
    assert lead.uris == ("sip:0905@voip.example;trunk=p;user=phone", "sip:0905@gateway.example;user=phone")
    with pytest.raises(SettingsError, match="no trunk 'q'"):
        load(monkeypatch, {"q2": GOOD}, dialplan={"rules": [{"match": "0*", "to": "trunk:q"}]})


def test_the_password_is_in_a_private_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = load(monkeypatch, {"p": GOOD}).trunks["p"]
    path = password_path(tmp_path, "p", settings)
    assert read_password(path, "p") == ""
    path.write_text("sec ret\nmore\n")
    path.chmod(0o600)
    assert read_password(path, "p") == "sec ret"
    path.chmod(0o644)
    with pytest.raises(PasswordError, match="chmod"):
        read_password(path, "p")
    path.chmod(0o600)
    path.write_text("\n")
    with pytest.raises(PasswordError, match="holds no password"):
        read_password(path, "p")


def test_on_several_hosts_one_has_to_run_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = ["edge", "registrar", "router", "translator", "journal"]
    hosts = {"alpha": {"address": "10.0.0.1", "components": parts}}
    with pytest.raises(SettingsError, match="no host has trunks"):
        load(monkeypatch, {"p": GOOD}, hosts=hosts, host="alpha", routers=1)
    hosts["alpha"]["components"] = [*parts, "trunks"]
    assert load(monkeypatch, {"p": GOOD}, hosts=hosts, host="alpha", routers=1).trunks
