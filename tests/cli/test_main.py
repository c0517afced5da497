"""What all commands have in common."""

from pathlib import Path

import pytest
from typer.main import get_command

from switchboard.cli.main import make_app

DOCUMENTED = (Path(__file__).parents[2] / "docs" / "OPERATING.md").read_text()
WITHOUT_JSON = {"start": "runs until it is stopped", "trace": "a line a message", "console-password": "asks"}


def commands(command: object, name: str = "") -> dict[str, set[str]]:
    """Each command by its full name, with its options."""
    inner = getattr(command, "commands", None)
    if inner is None:
        return {name: {option for each in command.params for option in each.opts}}  # type: ignore[attr-defined]
    found: dict[str, set[str]] = {}
    for each, one in inner.items():
        found |= commands(one, f"{name} {each}".strip())
    return found


COMMANDS = commands(get_command(make_app()))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_documented_and_has_json(name: str) -> None:
    assert f"switchboard {name}" in DOCUMENTED
    assert ("--json" in COMMANDS[name]) is (name not in WITHOUT_JSON)


def test_completion_can_be_installed() -> None:
    options = {option for each in get_command(make_app()).params for option in each.opts}
    assert {"--install-completion", "--show-completion"} <= options
