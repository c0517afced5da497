"""`switchboard status`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cli.conftest import Run

Answering = Callable[[str, str, Any], object]

NAMES = [
    ("edge-rx", 0),
    ("edge-tx", 0),
    ("edge-stream", 0),
    ("registrar", 0),
    ("router", 0),
    ("router", 1),
    ("translator", 0),
    ("journal", 0),
    ("console", 0),
]
COMPONENT = {"edge-rx": "edge", "edge-tx": "edge", "edge-stream": "edge"}


def worker(name: str, instance: int, state: str = "up") -> dict[str, Any]:
    return {
        "name": name,
        "instance": instance,
        "pid": 4711,
        "host": "pbx",
        "state": state,
        "uptime_s": 65.0,
        "restarts": 2,
    }


def board(state: str = "up") -> dict[str, list[dict[str, Any]]]:
    workers: dict[str, list[dict[str, Any]]] = {}
    for name, instance in NAMES:
        workers.setdefault(COMPONENT.get(name, name), []).append(worker(name, instance, state))
    return workers


def answer_for_all(answering: Answering) -> None:
    """All parents say that their workers are up, and all workers that they took one item."""
    for component, workers in board().items():
        answering(f"{component}.control", "status", [{**each, "pid": None} for each in workers])
    for name, instance in NAMES:
        answering(f"{name}.{instance}.ask", "stats", {"items_in": 1})


def test_nothing_runs(switchboard: Run) -> None:
    done = switchboard("status", "--json")
    assert done.status == 1
    components = json.loads(done.stdout)["components"]
    assert [(each["name"], each["instance"]) for each in components] == NAMES
    assert all(each["state"] == "down" and each["pid"] is None for each in components)
    assert list(components[0]) == [
        "name",
        "instance",
        "pid",
        "host",
        "state",
        "uptime_s",
        "restarts",
        "notes",
    ]


def test_why_one_is_not_up(switchboard: Run, answering: Callable[[str, str, Any], object]) -> None:
    answering("journal.control", "status", [{**worker("journal", 0, "down"), "why": "it is odd"}])
    assert "journal.0: down: it is odd\n" in switchboard("status").stderr


def test_all_up(switchboard: Run, answering: Callable[[str, str, Any], object]) -> None:
    for component, workers in board().items():
        answering(f"{component}.control", "status", workers)
    for name, instance in NAMES:
        answering(f"{name}.{instance}.ask", "notes", [f"a note of {name}"])
    done = switchboard("status", "--json")
    assert (done.status, done.stderr) == (0, "")
    shown = [{**worker(*name), "notes": [f"a note of {name[0]}"]} for name in NAMES]
    assert json.loads(done.stdout) == {"components": shown}


def test_worker_that_hangs(switchboard: Run, answering: Callable[[str, str, Any], object]) -> None:
    answering("journal.control", "status", [worker("journal", 0)])
    done = switchboard("status")
    assert done.stderr == "journal.0: does not answer\n"


def test_table(switchboard: Run, answering: Callable[[str, str, Any], object]) -> None:
    answering("journal.control", "status", [worker("journal", 0, "starting")])
    done = switchboard("status")
    assert done.status == 1
    assert "\x1b" not in done.stdout
    heading, *lines = [line.split() for line in done.stdout.splitlines()]
    assert heading[:4] == ["name", "instance", "pid", "state"]
    assert ["journal", "0", "4711", "starting", "2", "pbx"] in lines
    assert len(lines) == len(NAMES)


def test_only_this_host(switchboard: Run, answering: Answering, data_dir: Path) -> None:
    """A probe of one host does not judge by the others."""
    (data_dir / "switchboard.toml").write_text(
        'history = false\nconsole = "off"\nrouters = 1\n'
        '[hosts.alpha]\naddress = "127.0.0.1"\ncomponents = ["edge", "translator"]\n'
        '[hosts.beta]\naddress = "127.0.0.2"\ncomponents = ["registrar", "router", "journal"]\n'
    )
    assert switchboard("keys", HOST="alpha", ROUTERS="1").status == 0
    here = {name: workers for name, workers in board().items() if name in ("edge", "translator")}
    for component, workers in here.items():
        answering(f"{component}.control", "status", workers)
    done = switchboard("status", "--here", "--json", HOST="alpha", ROUTERS="1")
    names = [each["name"] for each in json.loads(done.stdout)["components"]]
    assert (done.status, names) == (0, ["edge-rx", "edge-tx", "edge-stream", "translator"])
    assert switchboard("status", HOST="alpha", ROUTERS="1").status == 1
