"""Signals that wake a poll."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq
from supervisor.fake_children import command, tend_until

from switchboard.bus.endpoints import Endpoints
from switchboard.bus.rpc import Question, RpcRefused, call_rpc
from switchboard.supervisor.supervisor import Parent, Restart, Wakeup
from switchboard.supervisor.worker import State, Worker

BACK_S = 10.0


@pytest.mark.parametrize(
    ("number", "stop"), [(signal.SIGTERM, True), (signal.SIGINT, True), (signal.SIGCHLD, False)]
)
def test_signal_is_readable(number: signal.Signals, stop: bool) -> None:
    before = signal.getsignal(number)
    with Wakeup() as wakeup:
        assert select.select([wakeup.fd], [], [], 0)[0] == []
        os.kill(os.getpid(), number)
        assert select.select([wakeup.fd], [], [], 20.0)[0]
        wakeup.drain()
        assert select.select([wakeup.fd], [], [], 0)[0] == []
        assert wakeup.stop is stop
    assert signal.getsignal(number) is before


FAKE_PARENT = Path(__file__).with_name("fake_parent.py")
GRACE_S = 0.3
LIMIT_S = 15.0
LOOK_S = 0.01


class Supervised:
    """A running fake parent and what it says. `grace_s`: how long a worker has to end after SIGTERM."""

    def __init__(self, run_dir: Path, *modes: str, grace_s: float = GRACE_S) -> None:
        self.server = Endpoints(run_dir).control("fake")
        self.process = subprocess.Popen(
            [sys.executable, str(FAKE_PARENT), str(run_dir), str(grace_s), *modes],
            stdout=subprocess.PIPE,
            bufsize=0,  # select must see each line
        )

    def line(self) -> str:
        """The next line on its standard output."""
        assert self.process.stdout
        readable, _, _ = select.select([self.process.stdout], [], [], LIMIT_S)
        assert readable, "the parent says nothing"
        return self.process.stdout.readline().decode().rstrip()

    def status(self) -> list[dict[str, Any]]:
        """The answer to `status`."""
        workers: list[dict[str, Any]] = call_rpc(self.server, "status", timeout_s=LIMIT_S)
        return workers

    def status_when(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first worker's status as soon as `condition` holds for it."""
        until = time.monotonic() + LIMIT_S
        while not condition(worker := self.status()[0]):
            assert time.monotonic() < until, worker
        return worker

    def standby_of(self, pid: int) -> int:
        """The process that waits behind the worker `pid`, as soon as there is one."""
        parent = psutil.Process(self.process.pid)
        until = time.monotonic() + LIMIT_S
        while not (standbys := {child.pid for child in parent.children(recursive=True)} - {pid}):
            assert time.monotonic() < until, "there is no standby process"
            select.select([], [], [], LOOK_S)
        (standby,) = standbys
        return standby


@contextmanager
def supervised(run_dir: Path, *modes: str, grace_s: float = GRACE_S) -> Iterator[Supervised]:
    parent = Supervised(run_dir, *modes, grace_s=grace_s)
    try:
        yield parent
    finally:
        with parent.process as process:
            process.kill()


def up(worker: dict[str, Any]) -> bool:
    return bool(worker["state"] == "up")


def steady(worker: dict[str, Any]) -> bool:
    return bool(worker["state"] == "up" and worker["uptime_s"] >= 1.0)


def test_status(tmp_path: Path) -> None:
    with supervised(tmp_path, "steady", "steady") as parent:
        assert parent.line() == "up"
        first, second = parent.status()
    assert list(first) == ["name", "instance", "pid", "host", "state", "uptime_s", "restarts"]
    assert (first["name"], first["instance"], first["state"], first["restarts"]) == ("fake", 0, "up", 0)
    assert second["instance"] == 1
    assert first["pid"] != second["pid"]


def test_killed_worker_is_soon_back(tmp_path: Path) -> None:
    with supervised(tmp_path, "steady") as parent:
        assert parent.line() == "up"
        before = parent.status_when(steady)
        os.kill(before["pid"], signal.SIGKILL)
        killed = time.monotonic()
        after = parent.status_when(lambda worker: worker["restarts"] == 1 and up(worker))
        assert time.monotonic() - killed < BACK_S
        assert after["pid"] != before["pid"]
        assert parent.line() == f"fake.0 (pid {before['pid']}) was killed by SIGKILL; restarting"


def test_the_standby_takes_the_place_of_a_killed_worker(tmp_path: Path) -> None:
    with supervised(tmp_path, "steady") as parent:
        before = parent.status_when(up)
        standby = parent.standby_of(before["pid"])
        os.kill(before["pid"], signal.SIGKILL)
        after = parent.status_when(lambda worker: worker["restarts"] == 1 and up(worker))
        assert after["pid"] == standby
        assert parent.standby_of(standby) not in (before["pid"], standby)
        assert len(parent.status()) == 1


def test_no_standby_survives_its_parent(tmp_path: Path) -> None:
    with supervised(tmp_path, "steady") as parent:
        standby = psutil.Process(parent.standby_of(parent.status_when(up)["pid"]))
        parent.process.kill()
        psutil.wait_procs([standby], LIMIT_S)
        assert not standby.is_running()


def test_stop_ends_the_standby(tmp_path: Path) -> None:
    with supervised(tmp_path, "steady") as parent:
        standby = psutil.Process(parent.standby_of(parent.status_when(up)["pid"]))
        parent.process.terminate()
        assert parent.process.wait(LIMIT_S) == 0
        psutil.wait_procs([standby], LIMIT_S)  # it may not be reaped yet
        assert not standby.is_running()


def test_worker_that_ends_at_once_is_started_after_growing_pauses(tmp_path: Path) -> None:
    with supervised(tmp_path, "broken") as parent:
        lines = [parent.line() for _ in range(3)]
    assert [line.partition(") ")[2] for line in lines] == [
        f"ended with status 3; restarting in {pause} s" for pause in (0.1, 0.2, 0.4)
    ]


@pytest.mark.parametrize("wanted", [None, "fake", "fake.1"])
def test_graceful_restart_is_answered_when_the_new_workers_are_up(tmp_path: Path, wanted: str | None) -> None:
    with supervised(tmp_path, "steady", "steady") as parent:
        assert parent.line() == "up"
        before = [worker["pid"] for worker in parent.status()]
        answer = call_rpc(parent.server, "restart", wanted, LIMIT_S)
        after = parent.status()
    assert answer == (["fake.1"] if wanted == "fake.1" else ["fake.0", "fake.1"])
    assert all(up(worker) for worker in after)
    assert after[1]["pid"] != before[1]
    assert (after[0]["pid"] != before[0]) == (wanted != "fake.1")


def test_restart_runs_new_code_and_keeps_the_old_if_that_is_broken(tmp_path: Path) -> None:
    code = tmp_path / "mode"
    code.write_text("says old")
    with supervised(tmp_path, f"@{code}") as parent:
        assert (parent.line(), parent.line()) == ("old", "up")
        code.write_text("says new")
        assert call_rpc(parent.server, "restart", None, LIMIT_S) == ["fake.0"]
        assert parent.line() == "new"
        before = parent.status()[0]
        code.write_text("broken")
        text = r"fake\.0: the new process .* ended with status 3 before it was ready, the old one goes on"
        with pytest.raises(RpcRefused, match=text):
            call_rpc(parent.server, "restart", None, LIMIT_S)
        after = parent.status()[0]
        assert (after["state"], after["pid"], after["restarts"]) == ("up", before["pid"], 1)
        assert parent.line().endswith("ended with status 3")


def test_restart_while_the_parent_stops_is_refused(tmp_path: Path) -> None:
    with supervised(tmp_path, "stubborn", grace_s=2 * LIMIT_S) as parent:
        assert parent.line() == "up"
        parent.process.terminate()
        parent.status_when(lambda worker: worker["state"] == "down")
        with pytest.raises(RpcRefused, match="the component is being stopped"):
            call_rpc(parent.server, "restart", None, LIMIT_S)


def test_restart_of_a_stubborn_worker_ends_in_sigkill(tmp_path: Path) -> None:
    with supervised(tmp_path, "stubborn") as parent:
        assert parent.line() == "up"
        assert call_rpc(parent.server, "restart", None, LIMIT_S) == ["fake.0"]
        assert "was killed by SIGKILL; restarting" in parent.line()


@pytest.mark.parametrize(
    ("question", "body", "text"),
    [("restart", "fake.7", "there is no worker 'fake.7'"), ("sing", None, "unknown question 'sing'")],
)
def test_refused_questions(tmp_path: Path, question: str, body: str | None, text: str) -> None:
    with supervised(tmp_path, "steady") as parent, pytest.raises(RpcRefused, match=text):
        call_rpc(parent.server, question, body, LIMIT_S)


def test_worker_that_is_not_ready_is_starting_and_left_alone(tmp_path: Path) -> None:
    with supervised(tmp_path, "silent") as parent:
        worker = parent.status()[0]
    assert (worker["state"], worker["uptime_s"]) == ("starting", 0.0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_ends_the_workers_first(tmp_path: Path, number: int) -> None:
    with supervised(tmp_path, "steady", "steady") as parent:
        assert parent.line() == "up"
        workers = [psutil.Process(worker["pid"]) for worker in parent.status()]
        parent.process.send_signal(number)
        assert parent.process.wait(LIMIT_S) == 0
        assert not any(worker.is_running() for worker in workers)


def test_stop_does_not_wait_for_a_stubborn_worker(tmp_path: Path) -> None:
    with supervised(tmp_path, "stubborn") as parent:
        assert parent.line() == "up"
        parent.process.terminate()
        assert parent.process.wait(LIMIT_S) == 0
        assert parent.line().endswith("was killed by SIGKILL")


def test_no_worker_survives_its_parent(tmp_path: Path) -> None:
    with supervised(tmp_path, "steady") as parent:
        assert parent.line() == "up"
        worker = os.pidfd_open(parent.status()[0]["pid"])
        parent.process.kill()
        ended, _, _ = select.select([worker], [], [], LIMIT_S)
        os.close(worker)
        assert ended


@contextmanager
def restarting(code: Path, new: str) -> Iterator[tuple[Restart, Worker]]:
    """A worker is up, and has been asked at the instant 10 to restart in the mode `new`."""
    code.write_text("steady")
    nobody: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
    worker = Worker("fake", 0, command(f"@{code}"), standbys=False)
    worker.start(0.0)
    try:
        tend_until(worker, lambda: worker.state is State.UP, 0.0)
        code.write_text(new)
        follower = worker.restart(10.0)
        yield Restart(Question(nobody, b"asker", "restart", None), [(worker, follower)], 25.0), worker
    finally:
        nobody.close()
        worker.stop(100.0)
        tend_until(worker, lambda: worker.gone, 200.0)


def test_success(tmp_path: Path) -> None:
    with restarting(tmp_path / "mode", "steady") as (restart, worker):
        assert not restart.settled(10.0)
        tend_until(worker, lambda: restart.settled(11.0), 11.0)
        assert (restart.failures(), restart.restarted()) == ("", ["fake.0"])
        assert worker.state is State.UP


@pytest.mark.parametrize(
    ("new", "text"),
    [
        ("broken", "ended with status 3 before it was ready, the old one goes on"),
        ("unfit", "ended with status 4 before it was ready"),
    ],
)
def test_follower_that_ends(tmp_path: Path, new: str, text: str) -> None:
    with restarting(tmp_path / "mode", new) as (restart, worker):
        tend_until(worker, lambda: restart.settled(11.0), 11.0)
        ((_, follower),) = restart.followers
        assert restart.failures() == f"fake.0: the new process (pid {follower.pid}) {text}"


@pytest.mark.parametrize(("new", "goes_on"), [("hangs", True), ("silent", False)])
def test_follower_that_is_never_ready(tmp_path: Path, new: str, goes_on: bool) -> None:
    with restarting(tmp_path / "mode", new) as (restart, worker):
        ((_, follower),) = restart.followers
        if not goes_on:
            tend_until(worker, lambda: worker.pid == follower.pid, 11.0)
        assert not restart.settled(24.9)
        assert restart.settled(25.0)
        assert restart.failures() == f"fake.0: the new process (pid {follower.pid}) is not ready after 15 s"
        restart.give_up()
        if goes_on:
            tend_until(worker, lambda: follower.returncode is not None, 25.0)
            assert worker.state is State.UP
        else:
            worker.tend((), 25.0)
            assert worker.pid == follower.pid


def test_what_else_is_watched_is_dealt_with() -> None:
    """As the edge's lender is."""
    reading, writing = os.pipe()
    os.write(writing, b"x")
    taken: list[bytes] = []

    def take() -> None:
        taken.append(os.read(reading, 1))
        os.kill(os.getpid(), signal.SIGTERM)

    assert Parent([], print, watched={reading: take}).run() == 0
    assert taken == [b"x"]
    os.close(reading)
    os.close(writing)


class Alarm:
    """A companion that stops the parent after a while."""

    def __init__(self, after_s: float) -> None:
        self.at: float | None = time.monotonic() + after_s

    def next_deadline(self) -> float | None:
        return self.at

    def handle_timer(self, now: float) -> None:  # noqa: ARG002
        self.at = None
        os.kill(os.getpid(), signal.SIGTERM)


def test_what_is_always_readable_keeps_nothing_else_from_being_done() -> None:
    """Timers and signals among the events of a descriptor that never ends, which gets its turns, too."""
    readable, writable = os.pipe()
    os.write(writable, b"!")
    served: list[None] = []
    parent = Parent([], lambda _: None, [Alarm(0.05)], watched={readable: lambda: served.append(None)})
    assert parent.run() == 0
    assert len(served) > 1
    os.close(readable)
    os.close(writable)


def test_a_descriptor_that_another_one_closes_is_not_served() -> None:
    pipes = [os.pipe() for _ in range(2)]
    watched: dict[int, Callable[[], None]] = {}
    served: list[int] = []

    def serve(number: int) -> None:
        served.append(number)
        watched.clear()

    for number, (readable, writable) in enumerate(pipes):
        os.write(writable, b"!")
        watched[readable] = lambda number=number: serve(number)  # type: ignore[misc]
    assert Parent([], lambda _: None, [Alarm(0.05)], watched=watched).run() == 0
    assert len(served) == 1
    for fd in (fd for pipe in pipes for fd in pipe):
        os.close(fd)


def test_a_number_that_another_descriptor_has_got_is_watched() -> None:
    """One ends and another one comes in the same turn, as the link of a worker that is replaced."""
    former, latter = os.pipe(), os.pipe()
    os.write(former[1], b"!")
    served: list[bytes] = []
    watched: dict[int, Callable[[], None]] = {}

    def follow() -> None:
        os.close(former[0])
        os.dup2(latter[0], former[0])
        watched[former[0]] = lambda: served.append(os.read(former[0], 1))
        os.write(latter[1], b"?")

    watched[former[0]] = follow
    assert Parent([], lambda _: None, [Alarm(0.05)], watched=watched).run() == 0
    assert served == [b"?"]
    for fd in (*former, *latter):
        os.close(fd)
