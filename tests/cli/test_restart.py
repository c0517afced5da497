"""`switchboard restart`."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from cli.conftest import Run
from cli.test_status import board

Answering = Callable[[str, str, Any], list[Any]]
IN_ORDER = [
    "console.0",
    "journal.0",
    "edge-tx.0",
    "edge-stream.0",
    "translator.0",
    "router.0",
    "router.1",
    "registrar.0",
    "edge-rx.0",
]


def parents(answering: Answering, unwilling: str = "") -> dict[str, list[Any]]:
    """Parents that answer, all but one of which restart their workers; returns what each was asked."""
    for component, workers in board().items():
        answering(f"{component}.control", "status", workers)
    willing = [component for component in board() if component != unwilling]
    return {component: answering(f"{component}.control", "restart", []) for component in willing}


def test_one_after_the_other(switchboard: Run, answering: Answering) -> None:
    asked = parents(answering)
    done = switchboard("restart", "--all")
    assert (done.status, done.stdout) == (0, "")
    for line, worker in zip(done.stderr.splitlines(), IN_ORDER, strict=True):
        assert re.fullmatch(rf"{re.escape(worker)} restarted in \d+\.\d s", line)
    assert asked["router"][-4:] == [True, "router.0", "router.1", False]  # the code is loaded once
    assert asked["edge"][-5:] == [True, "edge-tx.0", "edge-stream.0", "edge-rx.0", False]


def test_all_as_json(switchboard: Run, answering: Answering) -> None:
    parents(answering)
    assert json.loads(switchboard("restart", "--all", "--json").stdout) == {"restarted": IN_ORDER}


def test_stops_at_the_first_failure(switchboard: Run, answering: Answering) -> None:
    asked = parents(answering, unwilling="router")
    done = switchboard("restart", "--all")
    assert done.status == 1
    assert done.stderr.splitlines()[5:] == [
        "Stopped: another question.",
        "Restarted: console.0, journal.0, edge-tx.0, edge-stream.0, translator.0. "
        "Not restarted: router.0, router.1, registrar.0, edge-rx.0.",
    ]
    assert "registrar.0" not in asked["registrar"]


def test_begins_only_if_every_parent_answers(switchboard: Run, answering: Answering) -> None:
    for component in ("edge", "journal"):
        answering(f"{component}.control", "status", board()[component])
    done = switchboard("restart", "--all")
    assert done.status == 1
    assert done.stderr.startswith("Nothing was restarted: ")
    assert "there is no answer from registrar, router, translator, console. " in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--all", "router"]])
def test_explains_itself(switchboard: Run, arguments: list[str]) -> None:
    done = switchboard("restart", *arguments)
    assert done.status == 2
    assert done.stderr == "Say either what to restart (edge, router, router.1, …), or --all.\n"


@pytest.mark.parametrize(
    ("target", "component", "asked"),
    [
        ("edge", "edge", None),
        ("edge-rx", "edge", "edge-rx"),
        ("edge-tx.0", "edge", "edge-tx.0"),
        ("router", "router", None),
        ("router.1", "router", "router.1"),
        ("journal.0", "journal", "journal.0"),
    ],
)
def test_question(
    switchboard: Run,
    answering: Callable[[str, str, Any], list[Any]],
    target: str,
    component: str,
    asked: str | None,
) -> None:
    bodies = answering(f"{component}.control", "restart", ["router.1"])
    done = switchboard("restart", target)
    assert (done.status, done.stdout, done.stderr) == (0, "", "Restarted: router.1.\n")
    assert bodies == [asked]


@pytest.mark.parametrize("target", ["sales", "router.2", "router.x", "router.", "edge.rx", "router.-1"])
def test_unknown_name(switchboard: Run, target: str) -> None:
    done = switchboard("restart", target)
    assert done.status == 2
    assert f"There is no {target!r} to restart. There are: edge, edge-rx, edge-rx.0," in done.stderr


def test_refused(switchboard: Run, answering: Callable[[str, str, Any], object]) -> None:
    answering("router.control", "sing", None)
    done = switchboard("restart", "router")
    assert done.status == 1
    assert done.stderr == "another question.\n"
