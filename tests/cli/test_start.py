"""`switchboard start`: the failures that say what to do, and a component that runs."""

import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.conftest import LIMIT_S, Run

from switchboard.bus.ask import ask
from switchboard.bus.endpoints import Endpoints

Environment = dict[str, str]


def launch(component: str, environment: Environment, **variables: str) -> subprocess.Popen[str]:
    """Start a component with settings as keywords."""
    command = [sys.executable, "-c", "from switchboard.cli.main import main; main()", "start", component]
    settings = {f"SWITCHBOARD_{name}": text for name, text in variables.items()}
    return subprocess.Popen(command, env=environment | settings, stderr=subprocess.PIPE, text=True)


def fail_to_start(component: str, environment: Environment, **variables: str) -> str:
    """What a component says that cannot start."""
    process = launch(component, environment, **variables)
    _, said = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 2
    assert "Traceback" not in said
    return said


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def test_taken_port(environment: Environment, taken_port: int) -> None:
    said = fail_to_start("edge", environment, SIP_PORT=str(taken_port))
    assert f"Port {taken_port}/udp is already used by " in said
    assert f"(pid {os.getpid()}). Choose another: SWITCHBOARD_SIP_PORT=" in said
    assert "honcho start, or stop that process." in said


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"SIP_PORT": "many"}, "Bad setting sip_port"),
        ({"SIP_HOST": "192.0.2.77"}, "is no address of this machine"),
        ({"LANGUAGE": "tlh"}, "Available: cs, de, en"),
        ({"DATA_DIR": "/proc/none"}, "The data directory /proc/none cannot be used"),
    ],
)
def test_failures(environment: Environment, variables: dict[str, str], message: str) -> None:
    assert message in fail_to_start("edge", environment, **variables)


def test_siblings_under_honcho_are_brief(environment: Environment) -> None:
    environment["HONCHO_PROCESS_NAME"] = "router.1"
    with launch("router", environment, SIP_PORT="x") as process:
        assert process.stderr
        assert process.stderr.readline() == "router cannot start: bad setting sip_port.\n"
        process.terminate()
        assert process.wait(LIMIT_S) == 2


def test_component_that_runs_already(environment: Environment, data_dir: Path) -> None:
    run_dir = data_dir / "run"
    run_dir.mkdir()
    with (run_dir / "journal.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711\n")
        lock.flush()
        said = fail_to_start("journal", environment)
    assert f"The journal of the data directory {data_dir} already runs: process 4711 holds it." in said


def test_life_of_a_component(environment: Environment, data_dir: Path, switchboard: Run) -> None:
    environment |= {"NOTIFY_SOCKET": str(data_dir / "notify"), "WATCHDOG_USEC": "1000000"}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(LIMIT_S)
        systemd.bind(environment["NOTIFY_SOCKET"])
        with launch("translator", environment) as process:
            heard: set[bytes] = set()
            while heard != {b"READY=1", b"WATCHDOG=1"}:
                heard.add(systemd.recv(64))
            (worker,) = ask(Endpoints(data_dir / "run").control("translator"), "status", timeout_s=LIMIT_S)
            assert (worker["name"], worker["state"]) == ("translator", "up")
            workers = json.loads(switchboard("status", "--json").stdout)["components"]
            assert [each["name"] for each in workers if each["state"] == "up"] == ["translator"]
            assert switchboard("restart", "translator").status == 0
            process.terminate()
            _, said = process.communicate(timeout=LIMIT_S)
            assert (process.returncode, "Traceback" in said) == (0, False)
