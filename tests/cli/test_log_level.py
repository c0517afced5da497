"""`switchboard log-level`."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from cli.conftest import Run
from cli.test_status import NAMES, board

Answering = Callable[[str, str, Any], list[Any]]
ALL = [f"{name}.{instance}" for name, instance in NAMES]


@pytest.fixture
def asked(answering: Answering) -> dict[str, list[Any]]:
    """What each worker was asked."""
    for component, workers in board().items():
        answering(f"{component}.control", "status", workers)
    return {
        f"{name}.{number}": answering(f"{name}.{number}.ask", "log.level", "debug") for name, number in NAMES
    }


@pytest.mark.parametrize(
    ("words", "meant", "body"),
    [
        ((), ALL, None),
        (("debug",), ALL, "debug"),
        (("router", "debug"), ["router.0", "router.1"], "debug"),
        (("router.1", "warning"), ["router.1"], "warning"),
        (("edge", "info"), ["edge-rx.0", "edge-tx.0", "edge-stream.0"], "info"),
        (("edge-tx",), ["edge-tx.0"], None),
    ],
)
def test_who_is_asked_what(
    switchboard: Run, asked: dict[str, list[Any]], words: tuple[str, ...], meant: list[str], body: str | None
) -> None:
    done = switchboard("log-level", *words, "--json")
    assert (done.status, list(json.loads(done.stdout)["levels"])) == (0, meant)
    assert {name for name, bodies in asked.items() if bodies} == set(meant)
    assert all(set(bodies) == {body} for bodies in asked.values() if bodies)


@pytest.mark.usefixtures("asked")
def test_table(switchboard: Run) -> None:
    heading, *lines = switchboard("log-level", "router").stdout.splitlines()
    assert heading.split() == ["worker", "level"]
    assert [line.split() for line in lines] == [["router.0", "debug"], ["router.1", "debug"]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("loud",), "There is neither a worker nor a level 'loud'"),
        (("phones", "debug"), "There is neither a worker nor a level 'phones'"),
        (("router", "loud"), "'loud' is no level"),
    ],
)
def test_misuse(switchboard: Run, words: tuple[str, ...], message: str) -> None:
    done = switchboard("log-level", *words)
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.startswith(message)


def test_a_silent_worker(switchboard: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.survey.ask.ANSWER_WITHIN_S", 0.1)
    done = switchboard("log-level", "journal", "debug")
    assert (done.status, done.stderr.splitlines()[-1]) == (1, "No answer: journal.0.")
