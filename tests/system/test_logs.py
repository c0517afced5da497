"""The logs of real processes: quiet by default, whole calls at level debug, changed while they run."""

import json
from typing import Any

import pytest
from system.harness import Switchboard, wait_until

pytestmark = pytest.mark.system
JSON = {"SWITCHBOARD_LOG_FORMAT": "json", "SWITCHBOARD_ROUTERS": "1"}
WORKERS = {"router.0", "journal.0"}
"""Others see no message of a call: the router sends on the edge's sockets."""


def call(switchboard: Switchboard) -> str:
    done = switchboard.cli("lab", "call", "--ring", "0", "--talk", "0", "--json")
    call_id = str(json.loads(done.stdout)["call_id"])
    switchboard.wait_record(call_id)
    return call_id


def about(switchboard: Switchboard, call_id: str) -> list[dict[str, Any]]:
    """The lines about one call; honcho puts its own words before each."""
    lines = (line[line.find("{") :] for line in switchboard.log().splitlines())
    return [json.loads(line) for line in lines if call_id in line]


def followed_by(switchboard: Switchboard, call_id: str, workers: set[str]) -> list[dict[str, Any]]:
    """The lines about one call, once exactly these workers have spoken of it; honcho prints them a little later."""

    def complete() -> list[dict[str, Any]] | None:
        lines = about(switchboard, call_id)
        return lines if {each["worker"] for each in lines} == workers else None

    return wait_until(complete, f"lines of {', '.join(sorted(workers))} about {call_id}")


def test_a_call_can_be_followed_through_all_processes() -> None:
    with Switchboard(JSON) as switchboard:
        assert about(switchboard, call(switchboard)) == []
        levels = json.loads(switchboard.cli("log-level", "debug", "--json").stdout)["levels"]
        assert set(levels.values()) == {"debug"}
        assert levels.keys() >= {"edge-rx.0", "edge-tx.0", "registrar.0", "router.0", "translator.0"}
        followed = followed_by(switchboard, call(switchboard), WORKERS)
        assert len({each["trace"] for each in followed}) == 1
        assert {"INVITE", "ACK", "BYE"} <= {each.get("line", "").partition(" ")[0] for each in followed}
        switchboard.cli("log-level", "info")
        assert about(switchboard, call(switchboard)) == []
