"""One supervised worker; `now` is made up, its processes are real (fake_worker.py)."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path

import psutil
import pytest
from supervisor import fake_worker
from supervisor.fake_children import LIMIT_S, LOOK_S, command, tend_until

from switchboard.supervisor.child import LOOKS
from switchboard.supervisor.standby import AFTER_S
from switchboard.supervisor.worker import LONGEST_PAUSE_S, State, Worker


@contextmanager
def working(mode: str = "steady", standbys: bool = True) -> Iterator[Worker]:
    """A worker that was started at the instant 10."""
    worker = Worker("fake", 0, command(mode), grace_s=1.0, standbys=standbys)
    worker.start(10.0)
    worker.tend((), 10.0)
    try:
        yield worker
    finally:
        worker.stop(1000.0)
        tend_until(worker, lambda: worker.gone, 1001.0)


@pytest.fixture
def steady() -> Iterator[Worker]:
    """A worker that is up since the instant 10."""
    with working() as worker:
        become_up(worker)
        yield worker


def become_up(worker: Worker, now: float = 10.0) -> None:
    tend_until(worker, lambda: worker.state is State.UP, now)


def kill(worker: Worker) -> int:
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    return worker.pid


def have_standby(worker: Worker, now: float) -> int:
    """Tend until the standby process has loaded; return its pid."""
    worker.tend((), now)
    tend_until(worker, lambda: len(processes(worker)) == 2 and None not in processes(worker), now)
    (standby,) = set(processes(worker)) - {worker.pid}
    assert standby is not None
    tend_until(worker, lambda: all(child.loaded for child in worker._children()), now)
    return standby


def processes(worker: Worker) -> list[int | None]:
    """The ids of all processes of the worker, in service or not."""
    return [child.pid for child in worker._children()]


def test_life(steady: Worker) -> None:
    assert steady.status(12.5)["uptime_s"] == 2.5
    assert steady.next_deadline() is None
    assert steady.tend((), 10.5) == []


def test_status_after_stop(steady: Worker) -> None:
    steady.stop(20.0)
    assert steady.state is State.DOWN
    assert steady.next_deadline() == 21.0
    assert tend_until(steady, lambda: steady.gone, 20.1) == []
    assert (steady.pid, steady.next_deadline()) == (None, None)


def test_stubborn_one_is_killed_after_its_grace() -> None:
    with working("stubborn") as worker:
        become_up(worker)
        pid = worker.pid
        worker.stop(20.0)
        worker.tend((), 20.9)
        assert worker.next_deadline() == 21.0
        assert tend_until(worker, lambda: worker.gone, 21.0) == [f"fake.0 (pid {pid}) was killed by SIGKILL"]


@pytest.mark.parametrize(
    ("ended", "start_at", "text"),
    [(10.5, 10.6, " in 0.1 s"), (11.0, None, ""), (11.9, None, "")],
)
def test_pause_depends_on_how_long_it_was_up(
    steady: Worker, ended: float, start_at: float | None, text: str
) -> None:
    pid = kill(steady)
    lines = tend_until(steady, lambda: steady.pid != pid, ended)
    assert lines == [f"fake.0 (pid {pid}) was killed by SIGKILL; restarting{text}"]
    assert steady.state is (State.STARTING if start_at is None else State.DOWN)
    if start_at:
        assert steady.next_deadline() == pytest.approx(start_at)
        steady.tend((), start_at + 0.001)
    assert steady.status(ended)["restarts"] == 1


@pytest.mark.parametrize(("mode", "why"), [("unfit", "it is unfit ž"), ("broken", "ended with status 3")])
def test_its_last_words_are_kept_until_it_is_up(tmp_path: Path, mode: str, why: str) -> None:
    code = tmp_path / "code"
    code.write_text(mode)
    with working(f"@{code}", standbys=False) as worker:
        tend_until(worker, lambda: worker.state is State.DOWN and worker.starts == 1, 10.0)
        assert str(worker.status(10.0)["why"]).endswith(why)
        code.write_text("steady")
        become_up(worker, 20.0)
        assert "why" not in worker.status(20.0)


def test_pauses_grow_up_to_a_limit() -> None:
    with working("broken") as worker:
        pauses = []
        now = 10.0
        for _ in range(8):
            tend_until(worker, lambda: worker.pid is None, now)
            start_at = worker.next_deadline()
            assert start_at is not None
            pauses.append(round(start_at - now, 3))
            now = start_at
            worker.tend((), now)
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_one_that_always_ends_in_the_same_way_is_told_of_until_the_pauses_are_long(tmp_path: Path) -> None:
    code = tmp_path / "mode"
    code.write_text("broken")
    with working(f"@{code}", standbys=False) as worker:
        said, now = [], 10.0
        for number in range(11):
            if number == 9:
                code.write_text("unfit")
            said.append(tend_until(worker, lambda: worker.pid is None, now))
            now = worker.next_deadline() or 0.0
            worker.tend((), now)
    assert [len(each) for each in said] == [1] * 7 + [0, 0, 1, 0]
    assert said[5][0].endswith(" ended with status 3; restarting in 3.2 s")
    assert said[6][0].endswith(" ended with status 3; restarting every 5 s until it stays up")
    assert said[9][0].endswith(" ended with status 4; restarting every 5 s until it stays up")


def test_one_that_cannot_be_launched_is_tried_again() -> None:
    worker = Worker("fake", 0, ["/nonexistent/worker"])
    worker.start(10.0)
    text = "fake.0 cannot be launched: No such file or directory; restarting in"
    assert worker.tend((), 10.0) == [f"{text} 0.1 s"]
    assert worker.tend((), 10.1) == [f"{text} 0.2 s"]
    with pytest.raises(FileNotFoundError):
        worker.restart(10.2)


def test_the_standby_takes_the_place_of_a_killed_one_and_has_a_standby_itself(steady: Worker) -> None:
    for now in (12.0, 14.0, 16.0):
        standby = have_standby(steady, now)
        kill(steady)
        tend_until(steady, lambda: steady.pid == standby, now)  # noqa: B023
        become_up(steady, now)
    assert steady.status(16.5)["restarts"] == 3


def test_a_dead_standby_is_replaced_and_takes_no_place(steady: Worker) -> None:
    standby = have_standby(steady, 12.0)
    os.kill(standby, signal.SIGKILL)
    tend_until(steady, lambda: standby not in processes(steady), 13.0)
    assert steady.next_deadline() == 13.0 + AFTER_S
    pid = kill(steady)
    tend_until(steady, lambda: steady.pid not in (pid, None), 13.5)
    become_up(steady, 13.5)


def test_standby_of_one_that_fails_again_and_again() -> None:
    with working("unfit") as worker:
        now = 10.0
        for _ in range(4):
            tend_until(worker, lambda: worker.pid is None, now)
            assert len(processes(worker)) <= 1
            now = worker.next_deadline() or 0.0
            worker.tend((), now)


def test_no_standby_if_it_is_not_wanted() -> None:
    with working(standbys=False) as worker:
        become_up(worker)
        assert worker.next_deadline() is None
        assert processes(worker) == [worker.pid]


def test_stop_ends_the_standby_and_the_successor(steady: Worker) -> None:
    have_standby(steady, 12.0)
    steady.restart(12.0)
    steady.stop(12.0)
    assert tend_until(steady, lambda: steady.gone, 12.0) == []


@pytest.mark.parametrize("standbys", [True, False])
def test_restart_serves_what_is_loaded_now(
    tmp_path: Path, standbys: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    code = tmp_path / "mode"
    code.write_text("says old")
    with working(f"@{code}", standbys) as worker:
        become_up(worker)
        if standbys:
            have_standby(worker, 12.0)
        code.write_text("says new")
        old = worker.pid
        follower = worker.restart(12.1)
        assert (worker.pid, worker.state) == (old, State.UP)
        assert tend_until(worker, lambda: follower.ready, 12.2) == []
        assert (worker.pid, worker.state) == (follower.pid, State.UP)
        assert (
            (have_standby(worker, 12.3) in processes(worker)) if standbys else worker.next_deadline() is None
        )
        assert worker.status(12.3)["restarts"] == 1
    assert capfd.readouterr().out.split() == ["old", "new"]


def test_the_old_one_serves_until_the_new_one_has_loaded(steady: Worker) -> None:
    old = steady.pid
    assert old is not None
    os.kill(old, signal.SIGSTOP)
    follower = steady.restart(10.1)
    tend_until(steady, lambda: steady.state is not State.UP, 10.1)
    assert follower.loaded
    assert not follower.told_to_go
    assert steady.pid == old
    os.kill(old, signal.SIGCONT)
    tend_until(steady, lambda: follower.ready, 10.1)
    assert (steady.state, steady.pid) == (State.UP, follower.pid)


def test_broken_new_code_leaves_the_old_worker_and_its_standby(tmp_path: Path) -> None:
    code = tmp_path / "mode"
    code.write_text("steady")
    with working(f"@{code}") as worker:
        become_up(worker)
        old, standby = worker.pid, have_standby(worker, 12.0)
        code.write_text("broken")
        follower = worker.restart(12.1)
        lines = tend_until(worker, lambda: follower.returncode is not None, 12.2)
        assert lines == [f"fake.0 successor (pid {follower.pid}) ended with status 3"]
        assert (worker.state, processes(worker)) == (State.UP, [old, standby])
        kill(worker)
        tend_until(worker, lambda: worker.pid == standby, 13.0)
        become_up(worker, 13.0)


def test_the_first_one_may_be_a_fork_of_this_process(capfd: pytest.CaptureFixture[str]) -> None:
    worker = Worker("fake", 0, command("says loaded"), grace_s=1.0, standbys=False)
    worker.fork(partial(fake_worker.main, "steady"))
    worker.start(10.0)
    become_up(worker)
    assert psutil.Process(worker.pid).ppid() == os.getpid()
    first = kill(worker)
    tend_until(worker, lambda: worker.pid not in (first, None), 12.0)
    become_up(worker, 12.0)
    worker.stop(13.0)
    tend_until(worker, lambda: worker.gone, 13.0)
    assert capfd.readouterr().out == "loaded\n"


def test_a_fork_has_a_standby_too() -> None:
    worker = Worker("fake", 0, command("broken"), grace_s=1.0)
    worker.fork(partial(fake_worker.main, "steady"))
    worker.start(10.0)
    become_up(worker)
    standby = have_standby(worker, 10.0)
    kill(worker)
    tend_until(worker, lambda: worker.pid == standby, 12.0)
    become_up(worker, 12.0)
    worker.stop(20.0)
    tend_until(worker, lambda: worker.gone, 20.0)


def test_a_fork_that_hangs_before_it_serves_is_not_waited_for() -> None:
    worker = Worker("fake", 0, command("steady"), grace_s=1.0, standbys=False)
    worker.fork(partial(fake_worker.main, "hangs"))
    worker.start(10.0)
    worker.tend((), 10.0)
    looks = chain.from_iterable(worker.look() for _ in range(LOOKS + 1))
    assert next(looks) == f"fake.0 (pid {worker.pid}) hangs while it starts and is killed"
    tend_until(worker, lambda: worker.state is State.DOWN, 10.0)
    become_up(worker, 11.0)
    worker.stop(20.0)
    tend_until(worker, lambda: worker.gone, 20.0)


def test_restart_asked_for_twice_is_one(steady: Worker) -> None:
    follower = steady.restart(10.1)
    assert steady.restart(10.1) is follower
    tend_until(steady, lambda: follower.ready, 10.1)
    assert (steady.state, steady.starts) == (State.UP, 2)


def test_restart_during_a_pause_ends_it() -> None:
    with working("unfit") as worker:
        tend_until(worker, lambda: worker.pid is None, 10.0)
        follower = worker.restart(10.01)
        assert worker.next_deadline() == 10.01
        worker.tend((), 10.01)
        assert worker.pid == follower.pid


def look_until_killed(worker: Worker) -> list[str]:
    """As many looks as it takes; what the log is to know of them."""
    lines: list[str] = []
    for _ in range(LOOKS + 1):
        assert lines == []
        lines = worker.look()
    return lines


def test_a_stopped_standby_is_killed_and_replaced(steady: Worker) -> None:
    standby = have_standby(steady, 12.0)
    os.kill(standby, signal.SIGSTOP)
    tend_until(steady, lambda: True, 12.0)
    assert look_until_killed(steady) == [f"fake.0 standby process (pid {standby}) hangs and is killed"]
    tend_until(steady, lambda: standby not in processes(steady), 13.0)
    assert steady.look() == []
    assert have_standby(steady, 13.0 + AFTER_S) != standby


def test_a_standby_that_leaves_a_question_unanswered_takes_no_place(steady: Worker) -> None:
    standby = have_standby(steady, 12.0)
    os.kill(standby, signal.SIGSTOP)
    steady.look()
    steady.look()
    pid = kill(steady)
    tend_until(steady, lambda: steady.pid not in (pid, None), 13.0)
    assert steady.pid != standby
    become_up(steady, 13.0)
    tend_until(steady, lambda: standby not in processes(steady), 13.0)


def test_a_standby_may_take_its_place_though_it_was_long_in_coming() -> None:
    with working() as worker:
        for _ in range(LOOKS - 1):
            worker.look()
        become_up(worker)
        tend_until(worker, lambda: len(_loaded(worker)) == 2 and all(_loaded(worker)), 10.0)
        (standby,) = set(processes(worker)) - {worker.pid}
        kill(worker)
        tend_until(worker, lambda: worker.pid == standby, 20.0)
        become_up(worker, 20.0)


@pytest.mark.parametrize("mode", ["silent", "hangs"])
def test_one_that_hangs_while_it_starts_is_killed_and_replaced(mode: str) -> None:
    with working(mode) as worker:
        if mode == "silent":
            tend_until(worker, lambda: len(_loaded(worker)) > 1 and all(_loaded(worker)), 10.0)
        sleeps(worker.pid)
        pid = worker.pid
        assert look_until_killed(worker)[-1] == f"fake.0 (pid {pid}) hangs while it starts and is killed"
        lines = tend_until(worker, lambda: worker.pid != pid, 11.0)
        assert f"fake.0 (pid {pid}) was killed by SIGKILL; restarting in 0.1 s" in lines


def _loaded(worker: Worker) -> list[bool]:
    return [child.loaded for child in worker._children()]


def sleeps(pid: int | None) -> None:
    """Return when the process does nothing any more."""
    until = time.monotonic() + LIMIT_S
    while psutil.Process(pid).status() != psutil.STATUS_SLEEPING:
        assert time.monotonic() < until
        signal.sigtimedwait((), LOOK_S)


def test_a_successor_that_hangs_while_it_loads_leaves_the_old_one(tmp_path: Path) -> None:
    code = tmp_path / "mode"
    code.write_text("steady")
    with working(f"@{code}") as worker:
        become_up(worker)
        old = worker.pid
        code.write_text("hangs")
        follower = worker.restart(12.1)
        sleeps(follower.pid)
        assert f"fake.0 successor (pid {follower.pid}) hangs and is killed" in look_until_killed(worker)
        tend_until(worker, lambda: follower.returncode is not None, 12.2)
        assert (worker.pid, worker.state) == (old, State.UP)


def test_who_is_to_leave_ends_for_good() -> None:
    worker = Worker("fake", 0, command("leaves"), standbys=True, leaves=True)
    worker.start(10.0)
    lines = tend_until(worker, lambda: worker.has_left and worker.gone, 10.0)
    assert lines == ["fake.0 has finished what it had, and left"]
    assert worker.next_deadline() is None


def test_who_is_to_leave_and_crashes_is_started_again() -> None:
    worker = Worker("fake", 0, command("unfit"), standbys=False, leaves=True)
    worker.start(10.0)
    (line,) = tend_until(worker, lambda: worker.starts == 1 and worker.pid is None, 10.0)
    assert "ended with status 4; restarting" in line
    assert not worker.has_left
    worker.stop(11.0)
