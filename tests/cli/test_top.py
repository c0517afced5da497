"""`switchboard top`."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from typing import Any

import pexpect
import pytest
from cli.conftest import LIMIT_S, Run
from cli.test_listings import CALL
from cli.test_status import NAMES, Answering, answer_for_all
from rich.console import Console
from survey.surveys import reading, survey

from switchboard.cli.top_picture import draw
from switchboard.survey.reading import moment

TOP = [sys.executable, "-c", "from switchboard.__main__ import main; main()", "top"]
SIX_O_CLOCK = 1_790_000_000.0


def drawn(height: int, *, calls: int = 0, routers: int = 2) -> list[str]:
    """The picture as lines of a terminal with 80 columns."""
    workers = [reading(f"router.{number}", items_in=5) for number in range(routers)]
    found = moment(survey(0.0, *workers), survey(1.0, *workers), [CALL] * calls)
    console = Console(file=StringIO(), width=80, force_terminal=False)
    console.print(draw(found, "10.0.0.1, port 5060", SIX_O_CLOCK, height))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def test_picture_of_workers_and_calls() -> None:
    lines = drawn(24, calls=1)
    assert lines[0].startswith("Switchboard 10.0.0.1, port 5060   ")
    assert lines[0].endswith("all up")
    assert lines[1].startswith("1 calls, 0.0/s   0 users on 0 phones   in 0/s, out 0/s")
    assert lines[3].split() == ["router.0", "up", "1m", "05s", "0", "0.0", "50", "0.0", "0", "0"]
    assert lines[-1].split()[:3] == ["lukas@10.0.0.1", "eva@10.0.0.1", "ringing"]


@pytest.mark.parametrize(("calls", "routers"), [(0, 1), (100, 6), (3, 64), (100, 64)])
def test_picture_fits_the_terminal(calls: int, routers: int) -> None:
    lines = drawn(24, calls=calls, routers=routers)
    assert len(lines) <= 24
    assert all(len(line) <= 80 for line in lines)
    assert ("lukas@10.0.0.1" in lines[-1]) is bool(calls)


def test_who_is_down_stands_on_top() -> None:
    workers = [replace(reading("router.0"), state="down", usage=None)]
    found = moment(survey(0.0, *workers), survey(1.0, *workers), [])
    console = Console(file=StringIO(), width=80)
    console.print(draw(found, "", SIX_O_CLOCK, 24))
    assert isinstance(console.file, StringIO)
    assert "NOT UP: router.0" in console.file.getvalue().splitlines()[0]


@pytest.fixture
def everything_up(answering: Answering) -> None:
    answer_for_all(answering)
    answering("journal.0.ask", "call.list", [CALL])


@pytest.mark.usefixtures("everything_up")
def test_once(switchboard: Run) -> None:
    done = switchboard("top", "--once")
    assert (done.status, done.stderr) == (0, "")
    assert "all up" in done.stdout
    assert "eva@10.0.0.1" in done.stdout


@pytest.mark.usefixtures("everything_up")
def test_json(switchboard: Run) -> None:
    found = json.loads(switchboard("top", "--json").stdout)
    assert [(each["name"], each["instance"]) for each in found["workers"]] == NAMES
    assert (found["not_up"], found["calls"]) == ([], [CALL])


def test_nothing_runs(switchboard: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.survey.ask.ANSWER_WITHIN_S", 0.1)
    done = switchboard("top", "--json")
    assert done.status == 1
    assert len(json.loads(done.stdout)["not_up"]) == len(NAMES)


def test_live_view_needs_a_terminal(switchboard: Run) -> None:
    done = switchboard("top")
    assert (done.status, done.stdout) == (2, "")
    assert "--once" in done.stderr


@contextmanager
def live(environment: dict[str, str]) -> Iterator[Any]:
    terminal = pexpect.spawn(
        TOP[0],
        TOP[1:],
        env={**environment, "TERM": "xterm", "LANG": "C.UTF-8"},
        dimensions=(24, 80),
        timeout=LIMIT_S,
    )
    try:
        yield terminal
    finally:
        terminal.close(force=True)


@pytest.mark.usefixtures("everything_up")
@pytest.mark.parametrize("key", ["q", "\x03"], ids=["q", "Ctrl-C"])
def test_live_view_until_a_key(environment: dict[str, str], key: str) -> None:
    with live(environment) as terminal:
        terminal.expect("all up")
        terminal.expect("eva@10.0.0.1")
        terminal.send(key)
        terminal.expect(pexpect.EOF)
        terminal.wait()
        assert b"Traceback" not in terminal.before
        assert os.waitstatus_to_exitcode(terminal.status) == 0
