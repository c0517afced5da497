"""`switchboard token`."""

import json
from pathlib import Path

import pytest
from cli.conftest import Run

from switchboard.auth.api_tokens import ApiTokens


def test_a_token_is_made_listed_and_removed(switchboard: Run, data_dir: Path) -> None:
    made = switchboard("token", "add", "billing", "--read-only")
    assert (made.status, "not shown again" in made.stderr) == (0, True)
    shown = made.stdout.strip()
    found = ApiTokens(data_dir / "api.tokens").find(shown)
    assert found is not None
    assert (found.name, found.read_only) == ("billing", True)
    listed = switchboard("token", "list")
    assert "billing" in listed.stdout
    assert "may read" in listed.stdout
    assert shown not in listed.stdout
    assert switchboard("token", "remove", "billing").status == 0
    assert ApiTokens(data_dir / "api.tokens").find(shown) is None
    assert "There are no tokens" in switchboard("token", "list").stderr


def test_for_programs(switchboard: Run, data_dir: Path) -> None:
    made = json.loads(switchboard("token", "add", "billing", "--json").stdout)
    assert (made["name"], made["read_only"]) == ("billing", False)
    assert ApiTokens(data_dir / "api.tokens").find(made["token"])
    (listed,) = json.loads(switchboard("token", "list", "--json").stdout)["tokens"]
    assert (listed["name"], listed["read_only"]) == ("billing", False)
    assert json.loads(switchboard("token", "remove", "billing", "--json").stdout) == {"removed": "billing"}


def test_a_name_is_taken_once(switchboard: Run) -> None:
    assert switchboard("token", "add", "billing").status == 0
    again = switchboard("token", "add", "billing")
    assert (again.status, again.stdout) == (1, "")
    assert "switchboard token remove billing" in again.stderr
    assert switchboard("token", "remove", "another").status == 1


@pytest.mark.parametrize("name", ["", " ", "a b", "-", "é", "a" * 65, "a\n"])
def test_names_that_are_none(switchboard: Run, name: str) -> None:
    assert switchboard("token", "add", "--", name).status == 2


def test_a_damaged_file_is_told_of(switchboard: Run, data_dir: Path) -> None:
    (data_dir / "api.tokens").write_text("{")
    (data_dir / "api.tokens").chmod(0o600)
    done = switchboard("token", "list")
    assert (done.status, "is damaged" in done.stderr) == (1, True)
