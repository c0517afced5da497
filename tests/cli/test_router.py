"""`switchboard router drain` and `undrain`."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from cli.conftest import Run

Answering = Callable[[str, str, Any], list[Any]]


@pytest.mark.parametrize(("command", "body"), [("drain", True), ("undrain", False)])
def test_the_router_is_told(switchboard: Run, answering: Answering, command: str, body: bool) -> None:
    asked = answering("router.1.ask", "router.drain", "as it should be")
    done = switchboard("router", command, "1")
    assert (done.status, done.stderr, asked) == (0, "router.1: as it should be\n", [body])
    assert json.loads(switchboard("router", command, "1", "--json").stdout) == {"router": 1, "drained": body}


def test_one_that_there_is_not(switchboard: Run) -> None:
    done = switchboard("router", "drain", "7")
    assert (done.status, "There is no router.7" in done.stderr) == (2, True)


def test_one_that_does_not_answer(switchboard: Run) -> None:
    done = switchboard("router", "drain", "1")
    assert (done.status, done.stderr.startswith("router.1 cannot be told: ")) == (1, True)
