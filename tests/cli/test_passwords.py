"""Where passwords come from."""

import io

import pytest
import typer

from switchboard.cli.passwords import generate_password, read_password


def test_the_first_line_of_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(" a long secret \r\nmore\n"))
    assert read_password("lukas") == " a long secret "


def test_a_short_one_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("1234\n"))
    assert read_password("lukas") == "1234"
    assert "guessed easily" in capsys.readouterr().err


def test_an_empty_one_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(typer.Exit):
        read_password("lukas")


def test_no_two_that_are_made_are_the_same() -> None:
    assert len({generate_password() for _ in range(100)}) == 100
