"""`switchboard trunk` where nothing runs; tests/system/test_trunks.py has the rest."""

import json

import pytest
from cli.conftest import Run

TRUNKS = json.dumps({"one": {"registrar": "voip.example", "user": "481"}})


@pytest.mark.parametrize("command", [("list",), ("test", "one")])
def test_nothing_runs(switchboard: Run, command: tuple[str, ...]) -> None:
    done = switchboard("trunk", *command, TRUNKS=TRUNKS)
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.startswith("No switchboard with the data directory ")
    assert "It does not run, or this part of it is down: switchboard status" in done.stderr
