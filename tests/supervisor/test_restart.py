"""An asked-for restart: when it is settled, and what is said of its failures; real workers, made-up `now`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq
from supervisor.fake_children import command, tend_until

from switchboard.bus.door import Question
from switchboard.supervisor.restart import Restart
from switchboard.supervisor.worker import State, Worker


@contextmanager
def restarting(code: Path, new: str) -> Iterator[tuple[Restart, Worker]]:
    """A worker is up, and has been asked at the instant 10 to restart in the mode `new`."""
    code.write_text("steady")
    nobody: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
    worker = Worker("fake", 0, command(f"@{code}"), spares=False)
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
