"""One supervised process; `now` is made up, the process is real (fake_worker.py)."""

import select
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchboard.bus.worker import LONGEST_PAUSE_S, State, Worker

FAKE_WORKER = Path(__file__).with_name("fake_worker.py")
LIMIT_S = 15.0


def make_worker(mode: str) -> Worker:
    return Worker("fake", 0, [sys.executable, str(FAKE_WORKER), mode], grace_s=1.0)


def await_pipe(worker: Worker) -> None:
    """Wait until the worker is ready or has ended."""
    assert worker.ready_fd is not None
    assert select.select([worker.ready_fd], [], [], LIMIT_S)[0]


def await_end(worker: Worker) -> None:
    assert worker._process is not None
    worker._process.wait(LIMIT_S)


@pytest.fixture
def steady() -> Iterator[Worker]:
    """A worker that is up since instant 10."""
    worker = make_worker("steady")
    worker.start()
    await_pipe(worker)
    worker.handle_ready(10.0)
    yield worker
    worker.stop(10.0)
    if worker.pid is not None:
        await_end(worker)
        worker.reap(10.0)


def test_life(steady: Worker) -> None:
    assert (steady.state, steady.ready_fd) == (State.UP, None)
    assert steady.status(12.5)["uptime_s"] == 2.5
    assert steady.next_deadline() is None
    assert steady.reap(12.5) is None


def test_status_after_stop(steady: Worker) -> None:
    steady.stop(20.0)
    assert steady.state is State.DOWN
    assert steady.next_deadline() == 21.0
    await_end(steady)
    assert steady.reap(20.1) is None
    assert (steady.pid, steady.next_deadline()) == (None, None)


@pytest.mark.parametrize(("ended", "start_at"), [(10.5, 10.6), (11.0, 11.0), (99.0, 99.0)])
def test_pause_depends_on_how_long_it_was_up(steady: Worker, ended: float, start_at: float) -> None:
    assert steady._process is not None
    steady._process.kill()
    await_end(steady)
    assert str(steady.reap(ended)).endswith("was killed by SIGKILL")
    assert steady.next_deadline() == pytest.approx(start_at)


def test_asked_for_restart_follows_at_once(steady: Worker) -> None:
    pid = steady.pid
    steady.restart(10.1)
    await_end(steady)
    assert steady.reap(10.2) is None
    assert steady.next_deadline() == 10.2
    steady.handle_timer(10.2)
    assert steady.state is State.STARTING
    assert steady.pid not in (None, pid)
    assert steady.status(10.2)["restarts"] == 1


def test_pauses_grow_up_to_a_limit() -> None:
    worker = make_worker("broken")
    pauses = []
    now = 0.0
    for _ in range(8):
        worker.start()
        await_pipe(worker)
        worker.handle_ready(now)
        assert worker.state is State.STARTING
        await_end(worker)
        worker.reap(now)
        start_at = worker.next_deadline()
        assert start_at is not None
        pauses.append(round(start_at - now, 3))
        now = start_at
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_restart_during_a_pause_ends_it() -> None:
    worker = make_worker("broken")
    worker.start()
    pid = worker.pid
    await_end(worker)
    assert worker.reap(5.0) == f"fake.0 (pid {pid}) ended with status 3"
    worker.restart(5.01)
    assert worker.next_deadline() == 5.01
