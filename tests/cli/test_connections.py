"""The command that lists connections."""

import json
from typing import Any

from cli.conftest import Run
from cli.test_status import Answering, board

PHONE: dict[str, Any] = {
    "user": "lukas",
    "transport": "TCP",
    "host": "2001:db8::7",
    "port": 40_000,
    "cipher": "",
    "since_s": 65.0,
    "idle_s": 2.0,
    "stranger": False,
    "worker": "edge-stream.0",
}
OLDER = {**PHONE, "user": "", "host": "10.0.0.2", "since_s": 7200.0, "stranger": True}


def test_connections(switchboard: Run, answering: Answering) -> None:
    answering("edge.control", "status", board()["edge"])
    answering("edge-stream.0.ask", "connections.list", [PHONE, OLDER])
    assert json.loads(switchboard("connections", "--json").stdout) == {"connections": [OLDER, PHONE]}
    heading, first, second = switchboard("connections").stdout.splitlines()
    assert heading.split() == ["user", "transport", "from", "cipher", "since", "idle", "worker"]
    assert first.split() == ["TCP", "10.0.0.2:40000", "2h", "00m", "2s", "edge-stream.0"]
    assert second.split() == ["lukas", "TCP", "[2001:db8::7]:40000", "1m", "05s", "2s", "edge-stream.0"]


def test_nobody(switchboard: Run) -> None:
    assert json.loads(switchboard("connections", "--json").stdout) == {"connections": []}
