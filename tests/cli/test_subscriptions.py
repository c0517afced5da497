"""`switchboard subscriptions`."""

from collections.abc import Callable
from typing import Any

from cli.conftest import Run

LISTED = {
    "watcher": "lukas", "from": "<sip:lukas@x>;tag=1", "user": "lenka", "package": "dialog", "contact": "sip:a",
    "since_at": 1.0, "left_s": 90.0, "notified": 3, "state": "active", "failures": 0, "tag": "sbp.1",
}  # fmt: skip
Answering = Callable[[str, str, Any], list[Any]]


def pages(start: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = [LISTED, {**LISTED, "watcher": "", "tag": "sbp.2", "failures": 2}]
    return found[start : start + 1]


def test_who_watches_whom(switchboard: Run, answering: Answering) -> None:
    answering("presence.0.ask", "subscriptions.list", pages)
    done = switchboard("subscriptions", PRESENCE="on")
    stranger, lukas = done.stdout.splitlines()[1:]
    assert lukas.split()[:4] == ["lukas", "lenka", "dialog", "sip:a"]
    assert "<sip:lukas@x>;tag=1" in stranger
    assert "2 not delivered" in stranger
    assert '"tag": "sbp.2"' in switchboard("subscriptions", "--json", PRESENCE="on").stdout


def test_nobody_watches(switchboard: Run, answering: Answering) -> None:
    answering("presence.0.ask", "subscriptions.list", [])
    assert "Nobody watches anybody." in switchboard("subscriptions", "--user", "x", PRESENCE="on").stderr


def test_some_are_ended(switchboard: Run, answering: Answering) -> None:
    answering("presence.0.ask", "subscriptions.list", pages)
    answering("presence.0.ask", "subscriptions.end", True)
    assert switchboard("subscriptions", "--user", "lenka", "--end", PRESENCE="on").stderr == "Ended: 2.\n"


def test_without_presence(switchboard: Run) -> None:
    done = switchboard("subscriptions")
    assert (done.status, done.stderr) == (1, "There is no presence worker: presence is off.\n")
