"""`run_actor` and its duties to the parent, in real processes (tests/supervisor/worker.py)."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest
from bus.inbox import all_items, bind_inbox

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.peer import Peer
from switchboard.bus.rpc import call_rpc
from switchboard.supervisor.handshake import BUSY, LOADED, READY

TESTS = Path(__file__).parents[1]
WORKER = [sys.executable, "-m", "supervisor.worker"]
LIMIT_S = 10


def environment(endpoints: Endpoints, **more: str) -> dict[str, str]:
    data_dir = str(endpoints.run_dir.parent)
    path = f"{TESTS}{os.pathsep}{TESTS.parent}"
    return {**os.environ, "PYTHONPATH": path, "SWITCHBOARD_DATA_DIR": data_dir, **more}


@pytest.fixture
def at(endpoints: Endpoints) -> Endpoints:
    """The run directory that a worker derives from its data directory; it makes it itself."""
    return Endpoints(endpoints.run_dir / "run")


@contextmanager
def started(at: Endpoints, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker that has said that it is ready; killed at the end if it still runs."""
    ready_fd, write_fd = os.pipe()
    worker = subprocess.Popen(
        [*WORKER, *arguments],
        env=environment(at, SWITCHBOARD_READY_FD=str(write_fd)),
        pass_fds=[write_fd],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.close(write_fd)
    try:
        with os.fdopen(ready_fd, "rb") as ready:
            assert ready.read() == READY
        yield worker
    finally:
        worker.kill()
        worker.communicate(timeout=LIMIT_S)


def test_ready_means_that_the_doors_are_open(at: Endpoints) -> None:
    with started(at, "--instance", "2"):
        assert call_rpc(at.ask("forwarder", 2), "stats", timeout_s=LIMIT_S)["collector.2.forwarded.sent"] == 0
        assert at.run_dir.stat().st_mode & 0o777 == 0o700


def test_sigterm_ends_with_0_after_what_has_arrived_is_handed_on(context: BusContext, at: Endpoints) -> None:
    with started(at) as worker:
        collector = bind_inbox(context, at.inbox("collector"))
        forwarder = Peer(context, at.inbox("forwarder"))
        while not forwarder.send("first", None):
            assert worker.poll() is None
        assert [item[0] for item in all_items(collector, 1)] == ["first"]
        for subject in ["stop", *map(str, range(50))]:
            assert forwarder.send(subject, None)
        assert worker.communicate(timeout=LIMIT_S) == (b"closed\n", b"")
        assert worker.returncode == 0
        assert [item[0] for item in all_items(collector, 51)] == ["stop", *map(str, range(50))]


def test_sigterm_wakes_a_worker_that_sleeps(at: Endpoints) -> None:
    with started(at) as worker:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(LIMIT_S) == 0


def test_sigint_is_left_to_the_parent(at: Endpoints) -> None:
    with started(at) as worker:
        worker.send_signal(signal.SIGINT)
        assert call_rpc(at.ask("forwarder"), "stats", timeout_s=LIMIT_S)["frames_in"] == 0
        assert worker.poll() is None


def test_an_unforeseen_exception_is_logged_once_and_ends_with_1(context: BusContext, at: Endpoints) -> None:
    with started(at, "--instance", "1") as worker:
        forwarder = Peer(context, at.inbox("forwarder", 1))
        while not forwarder.send("crash", None):
            assert worker.poll() is None
        _, log = worker.communicate(timeout=LIMIT_S)
        assert worker.returncode == 1
        event = json.loads(log)
        assert (event["event"], event["level"], event["worker"]) == ("worker crashed", "error", "forwarder.1")
        assert "RuntimeError: told to crash" in event["exception"]


@contextmanager
def waiting(at: Endpoints) -> Iterator[tuple["subprocess.Popen[bytes]", socket.socket, BinaryIO]]:
    """A worker that has loaded and waits: with the socket for its go, and what it says."""
    ready_fd, write_fd = os.pipe()
    ours, its = socket.socketpair()
    channel = {"SWITCHBOARD_READY_FD": str(write_fd), "SWITCHBOARD_GO_FD": str(its.fileno())}
    worker = subprocess.Popen(
        WORKER,
        env=environment(at, **channel),
        pass_fds=[write_fd, its.fileno()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.close(write_fd)
    its.close()
    with worker, ours, os.fdopen(ready_fd, "rb") as ready:
        try:
            assert ready.readline() == b"LOADED %d\n" % worker.pid
            yield worker, ours, ready
        finally:
            worker.kill()


def test_a_worker_that_waits_binds_nothing_until_its_go(at: Endpoints) -> None:
    with waiting(at) as (worker, go, ready):
        assert not at.run_dir.exists()
        go.send(b"!")
        assert (ready.readline(), ready.readline()) == (BUSY, READY)
        assert call_rpc(at.ask("forwarder"), "stats", timeout_s=LIMIT_S)["frames_in"] == 0
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(LIMIT_S) == 0


def test_a_worker_that_waits_says_that_it_is_there_when_it_is_asked(at: Endpoints) -> None:
    with waiting(at) as (worker, go, ready):
        for _ in range(3):
            go.send(b"?")
            assert ready.readline() == b"LOADED %d\n" % worker.pid
        go.send(b"?!")
        assert [ready.readline() for _ in range(3)] == [b"LOADED %d\n" % worker.pid, BUSY, READY]


def test_a_worker_that_is_not_told_to_go_ends_quietly(at: Endpoints) -> None:
    with waiting(at) as (worker, go, _):
        go.close()
        assert worker.communicate(timeout=LIMIT_S) == (b"", b"")
        assert worker.returncode == 0


def test_sigterm_ends_a_worker_that_waits(at: Endpoints) -> None:
    with waiting(at) as (worker, _, _):
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(LIMIT_S) == -signal.SIGTERM


def test_a_go_with_descriptors_leaves_a_fork_that_waits(at: Endpoints) -> None:
    fork_fd, write_fd = os.pipe()
    ours, its = socket.socketpair()
    with waiting(at) as (worker, go, ready), os.fdopen(fork_fd, "rb") as fork_ready:
        socket.send_fds(go, [b"!"], [write_fd, its.fileno()])
        os.close(write_fd)
        its.close()
        said = ready.readline()
        assert (ready.readline(), ready.readline(), ready.read()) == (BUSY, READY, b"")
        word, pid = fork_ready.readline().split()
        assert word == LOADED
        assert int(pid) != worker.pid
        assert said == b"FORKED %s\n" % pid
        ours.close()
        assert fork_ready.read() == b""
        assert worker.poll() is None


def test_settings_are_those_of_the_go(at: Endpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "switchboard.toml"
    file.write_text("language = 'en'")
    monkeypatch.setenv("SWITCHBOARD_CONFIG", str(file))
    with waiting(at) as (worker, go, _):
        file.write_text("language = 'xx'")
        go.send(b"!")
        assert worker.communicate(timeout=LIMIT_S) == (b"", b"There is no language xx\n")
        assert worker.returncode == 2


def test_bad_settings_end_with_2_before_anything_is_bound(at: Endpoints) -> None:
    worker = subprocess.run(
        WORKER,
        env=environment(at, SWITCHBOARD_SIP_PORT="many"),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert worker.returncode == 2
    assert "SWITCHBOARD_SIP_PORT" in worker.stderr
    assert "Traceback" not in worker.stderr
    assert not at.run_dir.exists()


def test_settings_that_only_the_actor_can_judge_end_with_2_too(at: Endpoints) -> None:
    worker = subprocess.run(
        WORKER,
        env=environment(at, SWITCHBOARD_LANGUAGE="xx"),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert (worker.returncode, worker.stderr) == (2, "There is no language xx\n")


def test_a_worker_whose_parent_died_before_it_was_ready_ends(at: Endpoints) -> None:
    ready_fd, write_fd = os.pipe()
    os.close(ready_fd)
    try:
        worker = subprocess.run(
            WORKER,
            env=environment(at, SWITCHBOARD_READY_FD=str(write_fd)),
            pass_fds=[write_fd],
            capture_output=True,
            timeout=LIMIT_S,
        )
    finally:
        os.close(write_fd)
    assert (worker.returncode, worker.stderr) == (1, b"")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells of the parent's death on Linux only")
def test_no_worker_outlives_its_parent(at: Endpoints) -> None:
    """The worker holds the parent's standard output open: its end is the end of the stream."""
    code = (
        "import os, subprocess, sys\n"
        "ready, write = os.pipe()\n"
        "os.environ['SWITCHBOARD_READY_FD'] = str(write)\n"
        "worker = subprocess.Popen([sys.executable, '-m', 'supervisor.worker'], pass_fds=[write])\n"
        "print(os.read(ready, 100), flush=True)\n"
        "worker.wait()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment(at), stdout=subprocess.PIPE)
    try:
        assert parent.stdout
        assert parent.stdout.readline() == b"b'READY\\n'\n"
    finally:
        parent.kill()
    assert parent.communicate(timeout=LIMIT_S)[0] == b""
