"""`switchboard start`: the failures that say what to do, and a component that runs."""

import fcntl
import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import takewhile
from pathlib import Path

import psutil
import pytest
from cli.conftest import LIMIT_S, Run
from cli.test_credentials import HOSTS

from switchboard.bus.endpoints import Endpoints
from switchboard.bus.rpc import call_rpc
from switchboard.cli.start import _load
from switchboard.settings.hosts import WorkerName

Environment = dict[str, str]


def launch(component: str, environment: Environment, **variables: str) -> subprocess.Popen[str]:
    """Start a component with settings as keywords."""
    command = [sys.executable, "-c", "from switchboard.__main__ import main; main()", "start", component]
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
    assert " switchboard start edge, or stop that process." in said
    assert "honcho start, or" in fail_to_start(
        "edge", environment | {"HONCHO_PROCESS_NAME": "edge.1"}, SIP_PORT=str(taken_port)
    )


@pytest.mark.parametrize(
    ("variable", "settings"),
    [("TCP_PORT", {}), ("TLS_PORT", {"TLS": "on"}), ("WS_PORT", {"TRANSPORTS": "udp,ws"})],
)
def test_a_taken_port_of_connections(
    environment: Environment, variable: str, settings: dict[str, str]
) -> None:
    """The variable that moves it is named, and who holds it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        said = fail_to_start("edge", environment, SIP_HOST="127.0.0.1", **settings, **{variable: str(port)})
    assert f"Port {port}/tcp is already used by " in said
    assert f"(pid {os.getpid()}). Choose another: SWITCHBOARD_{variable}=" in said


def test_what_could_start_is_let_go_again(environment: Environment) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    for _ in range(2):
        process = launch("--check", environment, SIP_HOST="127.0.0.1", SIP_PORT=port)
        _, said = process.communicate(timeout=LIMIT_S)
        assert (process.returncode, said) == (0, "")


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


def future_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executescript("CREATE TABLE other (x); PRAGMA user_version = 99;")


def future_log(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"SWBLOG\x63\n")


@pytest.mark.parametrize(
    ("component", "name", "write", "message"),
    [
        ("registrar", "location.db", future_database, "has schema 99, this program knows 2: use the program"),
        ("router", "location.db", future_database, "has schema 99, this program knows 2: use the program"),
        (
            "journal",
            "journal.db",
            future_database,
            "has schema version 99, this switchboard needs 2. Run the",
        ),
        ("router", "router-0/0000000007.log", future_log, "is of version 99, this switchboard reads 3:"),
    ],
)
def test_a_file_of_the_future_is_refused(
    environment: Environment,
    data_dir: Path,
    component: str,
    name: str,
    write: Callable[[Path], None],
    message: str,
) -> None:
    """An older program after a newer one: the worker stays down, and says which file, and what to do."""
    write(data_dir / name)
    with launch(component, environment) as process:
        watchdog = threading.Timer(LIMIT_S, process.kill)
        watchdog.start()
        assert process.stderr
        said = list(takewhile(lambda line: "ended with status 2" not in line, process.stderr))
        workers = call_rpc(Endpoints(data_dir / "run").control(component), "status", timeout_s=LIMIT_S)
        assert workers[0]["state"] in ("starting", "down")
        process.terminate()
        said.append(process.communicate()[1])
        watchdog.cancel()
    (line, *_) = (line for line in said if message in line)
    assert str(data_dir / name) in line
    assert "Traceback" not in "".join(said)


def test_code_that_cannot_be_loaded_is_left_to_its_worker() -> None:
    assert _load(WorkerName("registrar", 0)) is not None
    assert _load(WorkerName("toaster", 0)) is None


def test_address_of_another_machine(environment: Environment, switchboard: Run) -> None:
    assert switchboard("keys", HOSTS=HOSTS, HOST="beta").status == 0
    said = fail_to_start("journal", environment, HOSTS=HOSTS, HOST="beta")
    assert "tcp://10.0.0.2:7119 cannot be listened on: " in said
    assert "SWITCHBOARD_BUS_PORT chooses others" in said


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
            (worker,) = call_rpc(
                Endpoints(data_dir / "run").control("translator"), "status", timeout_s=LIMIT_S
            )
            assert (worker["name"], worker["state"]) == ("translator", "up")
            forked = psutil.Process(worker["pid"])
            assert forked.ppid() == process.pid
            assert "switchboard.workers.translator" in " ".join(forked.cmdline())
            workers = json.loads(switchboard("status", "--json").stdout)["components"]
            assert [each["name"] for each in workers if each["state"] == "up"] == ["translator"]
            assert switchboard("restart", "translator").status == 0
            process.terminate()
            _, said = process.communicate(timeout=LIMIT_S)
            assert (process.returncode, "Traceback" in said) == (0, False)
