"""`switchboard check`, and options of the whole command."""

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Run

from switchboard.twins import core, interpreter


def test_good_settings(switchboard: Run, data_dir: Path) -> None:
    (data_dir / "switchboard.toml").write_text('language = "sk"\n[users.eva]\nlanguage = "de"\n')
    done = switchboard("check", DOMAINS="a.example,b.example")
    assert (done.status, done.stderr) == (0, "The settings are good.\n")
    lines = done.stdout.splitlines()
    assert ["language", "sk", "key", "language", "of", "file", "switchboard.toml"] in map(str.split, lines)
    assert ["users", "eva:", "de", "key", "users", "of", "file", "switchboard.toml"] in map(str.split, lines)
    assert any("a.example, b.example" in line and "SWITCHBOARD_DOMAINS" in line for line in lines)
    assert ["recurse", "true", "default"] in map(str.split, lines)


def test_settings_as_json(switchboard: Run) -> None:
    found = json.loads(switchboard("check", "--json", DOMAINS="a.example").stdout)["settings"]
    by_name = {each["setting"]: each for each in found}
    assert by_name["domains"]["value"] == ["a.example"]
    assert by_name["domains"]["from"] == "environment variable SWITCHBOARD_DOMAINS"
    assert by_name["recurse"] == {"setting": "recurse", "value": True, "from": "default"}


@pytest.mark.parametrize(
    "location",
    [
        "redis://user:secret@h/1",
        "nosuch://user:secret@h",
        "redis://:secret@h:x",
        "postgresql://user:secret@h/d",
        "postgresql://user:secret@h:x/d",
    ],
)
def test_no_password_of_a_url_is_shown(switchboard: Run, location: str) -> None:
    for options, key in (
        ((), "LOCATION"),
        (("--json",), "LOCATION"),
        ((), "USERS"),
        (("--json",), "USERS_STORE"),
    ):
        done = switchboard("check", *options, **{key: location})
        assert "…" in done.stdout + done.stderr
        assert "secret" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"SIP_PORT": "many"}, "Bad setting sip_port: 'many'"),
        (
            {"SIP_HOST": "192.0.2.77"},
            "192.0.2.77 (environment variable SWITCHBOARD_SIP_HOST) is no address of",
        ),
        ({"LANGUAGE": "tlh"}, "(environment variable SWITCHBOARD_LANGUAGE) = 'tlh'. Available: cs, de, en"),
        ({"USERS": '{"eva": {"language": "tlh"}}'}, "users.eva.language"),
        ({"PHRASES_DIR": "/proc/none"}, "Bad setting phrases_dir: /proc/none (environment variable SWITCH"),
    ],
)
def test_bad_settings(switchboard: Run, variables: dict[str, str], message: str) -> None:
    done = switchboard("check", **variables)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_host_of_several_looks_at_what_concerns_it(switchboard: Run) -> None:
    hosts = json.dumps(
        {
            "alpha": {"address": "10.0.0.1", "components": ["edge", "translator"]},
            "beta": {"address": "10.0.0.2", "components": ["registrar", "router", "journal"]},
        }
    )
    elsewhere = {"HOSTS": hosts, "SIP_HOST": "192.0.2.77", "PHRASES_DIR": "/proc/none"}
    assert switchboard("check", HOST="beta", **elsewhere).status == 0
    assert switchboard("check", HOST="alpha", **elsewhere).status == 2


def test_unknown_variable_is_a_warning(switchboard: Run) -> None:
    done = switchboard("check", SIP_PROT="5070")
    assert done.status == 0
    assert "Warning: unknown environment variable SWITCHBOARD_SIP_PROT, ignored." in done.stderr


def test_version(switchboard: Run) -> None:
    """It tells which counterpart runs, too."""
    told = f"switchboard {version('switchboard')}: {core()}, {interpreter()}\n"
    assert switchboard("--version").stdout == told


def test_unknown_command(switchboard: Run) -> None:
    assert switchboard("sing").status == 2


TRUNKS = '{"p": {"registrar": "voip.example", "user": "481", "numbers": {"1": "lena", "2": "group:x"}}}'


def test_numbers_that_lead_to_nobody_are_told(
    switchboard: Run, answering: Callable[[str, str, Any], list[Any]]
) -> None:
    answering("registrar.0.ask", "location.known", [])
    answering("registrar.0.ask", "rules.group", {"name": "x", "rules": None})
    done = switchboard("check", TRUNKS=TRUNKS)
    assert done.status == 0
    assert "Warning: 1 of trunk p leads to lena, who has not registered lately" in done.stderr
    assert "Warning: 2 of trunk p leads to group:x, and there is no such group" in done.stderr


def test_without_a_registrar_only_settings_are_looked_at(switchboard: Run) -> None:
    done = switchboard("check", TRUNKS='{"p": {"registrar": "voip.example", "user": "481"}}')
    assert "Warning: trunk p has no numbers, so who calls by it hears 404" in done.stderr
    done = switchboard("check", TRUNKS=TRUNKS)
    assert (done.status, done.stderr) == (0, "The settings are good.\n")
