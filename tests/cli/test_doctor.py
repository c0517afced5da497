"""`switchboard doctor`."""

import json
from typing import Any

import pytest
from cli.conftest import Run
from system.harness import free_port


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.survey.ask.ANSWER_WITHIN_S", 0.1)


def findings(done: Any) -> dict[str, dict[str, str]]:
    return {each["check"]: each for each in json.loads(done.stdout)["findings"]}


def test_before_the_first_start(switchboard: Run) -> None:
    port = str(free_port("127.0.0.1"))
    done = switchboard("doctor", "--json", SIP_HOST="127.0.0.1", SIP_PORT=port)
    found = findings(done)
    assert done.status == 0
    assert found["port"]["found"] == f"UDP port {port} is free"
    assert found["settings"]["level"] == "ok"
    assert (found["running"]["level"], found["running"]["remedy"]) == ("warning", "make lab, or honcho start")
    assert set(found["port"]) == {"check", "level", "found", "remedy"}


def test_a_problem_is_a_failure(switchboard: Run) -> None:
    done = switchboard("doctor", "--json", SIP_HOST="192.0.2.99", SIP_PORT=str(free_port("127.0.0.1")))
    found = findings(done)
    assert done.status == 1
    assert "is no address of this machine" in found["settings"]["found"]
    assert found["port"]["level"] == "problem"


def test_table_says_what_to_do(switchboard: Run) -> None:
    done = switchboard("doctor", SIP_HOST="127.0.0.1", SIP_PORT=str(free_port("127.0.0.1")), NO_SUCH="1")
    assert "→ correct its name, or take it out of the environment" in done.stdout
    assert done.stderr.startswith("Problems: 0. Warnings: ")


def test_bad_settings(switchboard: Run) -> None:
    done = switchboard("doctor", SIP_PORT="x")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.startswith("Bad setting sip_port")
