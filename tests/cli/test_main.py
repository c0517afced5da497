"""What all commands have in common."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from switchboard.cli.main import make_app

DOCUMENTED = (Path(__file__).parents[2] / "docs" / "OPERATING.md").read_text()
WITHOUT_JSON = {"start": "runs until it is stopped", "trace": "a line a message", "console-password": "asks"}


NOT_FOR_A_START = {"cryptography", "jinja2", "prometheus_client", "starlette", "uvicorn"}


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


def test_only_what_is_named_is_there() -> None:
    assert set(commands(get_command(make_app(["status"])))) == {"status"}
    assert set(commands(get_command(make_app(["none"])))) == set(COMMANDS)


def test_ctrl_c_while_modules_are_imported_ends_it_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-m", "switchboard", "status"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGINT, "", "")


def test_a_start_loads_nothing_that_only_the_console_or_certificates_need() -> None:
    code = (
        "import sys, switchboard.cli.start, switchboard.cli.edge, switchboard.workers.router_run\n"
        f"print(*sorted({NOT_FOR_A_START!r} & sys.modules.keys()))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.split() == []
