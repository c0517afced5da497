import io
import sys

import pytest

from switchboard.cli.progress import progress


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
