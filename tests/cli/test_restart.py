"""`switchboard restart`."""

from collections.abc import Callable
from typing import Any

import pytest
from cli.conftest import Run


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
