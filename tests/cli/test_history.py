"""Commands that read the history, which is here written by the test."""

import json
import time
from contextlib import closing
from pathlib import Path

import pytest
from cli.conftest import Run
from history.wire import CALL_ID, call, refused

from switchboard.history.store import HistoryStore, Limits


@pytest.fixture
def kept(data_dir: Path) -> None:
    """A history of an answered call and, later, one that was refused."""
    later = [each._replace(at_ns=each.at_ns + 10**12) for each in refused(603, "Odmietnutie", ring_s=11)]
    with closing(HistoryStore(data_dir / "history.db", Limits(10, time.time(), 1 << 20))) as store:
        store.add({CALL_ID: call(), "later": later})


@pytest.mark.usefixtures("kept")
def test_the_account_of_a_call(switchboard: Run) -> None:
    done = switchboard("explain", CALL_ID)
    assert done.status == 0
    assert done.stdout.startswith("lukas called lenka. The phone rang for 4.0 s. lenka answered.")


@pytest.mark.usefixtures("kept")
def test_the_last_call(switchboard: Run) -> None:
    told = json.loads(switchboard("explain", "--last", "--json").stdout)
    assert told == {
        "call_id": "later",
        "account": ["lukas called lenka.", "The phone rang for 11 s.", "lenka declined (603 Odmietnutie)."],
        "failed": True,
        "advice": [],
        "outcome": "declined",
        "ended_by": "callee",
    }
    assert json.loads(switchboard("explain", "--user", "lukas", "--json").stdout) == told


@pytest.mark.usefixtures("kept")
def test_a_user_without_a_past(switchboard: Run) -> None:
    done = switchboard("explain", "--user", "nobody")
    assert (done.status, done.stderr) == (1, "The history has nothing of nobody.\n")


@pytest.mark.usefixtures("kept")
def test_no_registration_failed(switchboard: Run) -> None:
    assert switchboard("failures").stderr == "No registration failed, as far as the history goes back.\n"
    assert json.loads(switchboard("failures", "--json").stdout) == {"failures": []}


@pytest.mark.usefixtures("kept")
def test_the_ladder(switchboard: Run) -> None:
    done = switchboard("ladder", CALL_ID)
    assert done.status == 0
    assert len(done.stdout.splitlines()) == 1 + 2 + 13
    told = json.loads(switchboard("ladder", "--last", "--json").stdout)
    assert [each["key"] for each in told["participants"]] == ["10.0.0.2:5060", "switchboard", "10.0.0.3:5060"]
    assert told["messages"][0]["label"] == "INVITE lenka"
    assert told["messages"][0]["raw"].startswith("INVITE ")


@pytest.mark.parametrize("command", ["ladder", "explain"])
@pytest.mark.usefixtures("kept")
def test_which_call_is_meant_must_be_said(switchboard: Run, command: str) -> None:
    for arguments in ([], ["abc", "--last"]):
        done = switchboard(command, *arguments)
        assert (done.status, done.stderr) == (2, "Say which call: its CALL-ID, --last, or --user NAME.\n")
    done = switchboard(command, "abc")
    assert (done.status, done.stderr) == (1, "The history has no messages with the Call-ID abc.\n")


def test_without_a_history(switchboard: Run) -> None:
    done = switchboard("explain", "--last")
    assert done.status == 1
    assert "There is no history" in done.stderr


def test_a_trace_of_nothing(switchboard: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.cli.trace.FIRST_CONTACT_S", 0.05)
    done = switchboard("trace", "-o", str(tmp_path / "x.pcapng"))
    assert done.status == 1
    assert "No switchboard with the data directory" in done.stderr
    done = switchboard("trace", "-o", str(tmp_path / "nowhere" / "x.pcapng"))
    assert done.status == 1
    assert "cannot be written" in done.stderr
