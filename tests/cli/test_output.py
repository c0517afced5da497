"""How commands print."""

import io
import os
import subprocess
import sys
import time

import pytest

from switchboard.cli.output import duration, local_time, print_json, print_table, progress


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3.0, "0s"), (0.4, "0s"), (47.0, "47s"), (65.2, "1m 05s"), (3599.6, "1h 00m"), (7620.0, "2h 07m")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_json_keeps_letters(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"phrase": "Obsadené"})
    assert capsys.readouterr().out == '{\n  "phrase": "Obsadené"\n}\n'


def test_wide_table_is_not_cut_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "pid"], [["x" * 300, 1], ["[bold]y", None]], "")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"{'x' * 300}  1"
    assert lines[2].startswith("[bold]y")


def test_nothing_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name"], [], "Nobody.")
    assert capsys.readouterr() == ("", "Nobody.\n")


def test_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Bratislava")
    time.tzset()
    shown = local_time("2026-11-22T10:00:00.123Z")
    monkeypatch.undo()
    time.tzset()
    assert shown == "2026-11-22 11:00:00"
    assert local_time(None) is None


def test_octets_that_are_no_text_end_no_command() -> None:
    script = "from switchboard.cli.output import *; print_anything(); print_json('c\\udcff\\u017e')"
    strict = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    printed = subprocess.run([sys.executable, "-c", script], env=strict, capture_output=True, check=True)
    assert printed.stdout == '"c?ž"\n'.encode()


class Terminal(io.StringIO):
    """What a terminal would show."""

    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress("Restarting", 2) as step:
        step("journal.0 restarted in 0.5 s")
    written = terminal.getvalue()
    assert "journal.0 restarted in 0.5 s" in written
    assert "Restarting" in written
    assert "1/2" in written


def test_lines_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Restarting", 2) as step:
        step("one")
        step("")
    assert capsys.readouterr() == ("", "one\n")
