"""Commands of a user who may not use the files of the switchboard."""

import os
from pathlib import Path

import pytest
from cli.conftest import Run

from switchboard import __main__ as program

OTHERS = 54_321
"""The number of a user whom nobody knows."""


@pytest.mark.parametrize(
    "arguments", [("status",), ("bindings",), ("explain", "--last"), ("failures",), ("doctor",), ("metrics",)]
)
def test_another_users_switchboard(
    switchboard: Run, data_dir: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    (data_dir / "run").mkdir()
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    monkeypatch.setattr(os, "geteuid", lambda: OTHERS)
    done = switchboard(*arguments)
    assert done.status == 1
    assert done.stderr.startswith(f"The data directory {data_dir} belongs to ")
    assert len(done.stderr.splitlines()) == 1


def test_an_owner_without_a_name(switchboard: Run, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data_dir / "run").mkdir()
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    monkeypatch.setattr(os, "geteuid", lambda: OTHERS)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    assert f"run this command as the user with the number {os.getuid()}." in switchboard("status").stderr


def test_a_file_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PermissionError(13, "Permission denied", "/var/lib/x")

    monkeypatch.setattr("switchboard.cli.main.make_app", lambda _: refuse)
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert str(ended.value).startswith("/var/lib/x cannot be used: Permission denied. Run this command as")
