"""Growing pauses."""

import errno
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from supervisor.fake_children import await_end, hear_until, launch, reap

from switchboard.supervisor.child import Child, ForkedProcess
from switchboard.supervisor.standby import AFTER_S, LONGEST_PAUSE_S, Pauses, Standby, Successors


def test_each_is_twice_the_one_before_up_to_the_longest() -> None:
    pauses = Pauses(0.1, 5.0)
    assert [round(pauses.next_s(), 3) for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert pauses.count == 8


def test_reset() -> None:
    pauses = Pauses(2.0, 60.0)
    pauses.next_s()
    pauses.next_s()
    pauses.reset()
    assert (pauses.count, pauses.next_s()) == (0, 2.0)


@contextmanager
def waiting() -> Iterator[Standby]:
    """A standby process whose child was launched at the instant 12."""
    standby = Standby(launch, wanted=True)
    standby.plan(10.0)
    assert standby.handle_timer(12.0) is None
    yield standby
    if child := standby.take():
        end(child)


def end(child: Child) -> None:
    child.kill()
    await_end(child)
    assert child.reap()


def test_is_launched_some_time_after_the_worker_is_up() -> None:
    standby = Standby(launch, wanted=True)
    assert (standby.next_deadline(), standby.take()) == (None, None)
    standby.plan(10.0)
    assert standby.next_deadline() == 10.0 + AFTER_S
    standby.handle_timer(11.9)
    assert standby.child is None
    standby.handle_timer(12.0)
    assert standby.next_deadline() is None
    child = standby.take()
    assert child
    assert standby.take() is None
    end(child)


def test_is_taken_before_it_is_launched() -> None:
    standby = Standby(launch, wanted=True)
    standby.plan(10.0)
    assert standby.take() is None
    assert standby.next_deadline() is None


def test_is_not_wanted() -> None:
    standby = Standby(launch, wanted=False)
    standby.plan(10.0)
    assert standby.next_deadline() is None


def test_stays_when_the_worker_is_up_again() -> None:
    with waiting() as standby:
        child = standby.child
        standby.plan(20.0)
        assert (standby.child, standby.next_deadline()) == (child, None)
        assert standby.reap(20.0) is None


def test_the_fork_of_who_serves_waits_behind_it() -> None:
    standby = Standby(launch, wanted=True)
    serving = launch()
    standby.send(serving)
    fork = standby.child
    assert fork
    standby.plan(10.0)
    assert standby.next_deadline() is None
    hear_until(fork, lambda: fork.loaded)
    assert standby.take() is fork
    end(serving)
    fork.dismiss()
    reap(fork)


def test_a_fork_that_ends_is_replaced() -> None:
    standby = Standby(launch, wanted=True)
    serving = launch()
    standby.send(serving)
    fork = standby.child
    assert fork
    hear_until(fork, lambda: fork.loaded)
    fork.kill()
    hear_until(fork, lambda: fork.ready_fd is None)
    assert standby.reap(20.0) is None
    assert standby.next_deadline() == 20.0 + AFTER_S
    end(serving)


def test_a_fork_that_was_never_forked_is_replaced_when_the_worker_is_up() -> None:
    standby = Standby(launch, wanted=True)
    broken = launch("broken")
    standby.send(broken)
    fork = standby.child
    assert fork
    hear_until(fork, lambda: fork.ready_fd is None)
    assert standby.reap(20.0) is None
    assert (standby.child, standby.next_deadline()) == (None, None)
    reap(broken)


def test_no_fork_if_it_is_not_wanted() -> None:
    standby = Standby(launch, wanted=False)
    serving = launch()
    standby.send(serving)
    assert standby.child is None
    end(serving)


def test_one_that_ends_is_replaced_and_told_of_from_the_second_time_on() -> None:
    with waiting() as standby:
        said = []
        now = 12.0
        for _ in range(3):
            assert standby.child
            standby.child.kill()
            await_end(standby.child)
            line = standby.reap(now) or ""
            said.append(line.partition(") ")[2])
            now = standby.next_deadline() or 0.0
            assert standby.handle_timer(now) is None
    assert now == 12.0 + 4.0 + 8.0 + 16.0
    assert said == [
        "",
        "was killed by SIGKILL; the next one in 8 s",
        "was killed by SIGKILL; the next one in 16 s",
    ]


def test_one_that_cannot_be_launched_is_tried_again() -> None:
    def fail() -> Child:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    standby = Standby(fail, wanted=True)
    standby.plan(0.0)
    lines = [standby.handle_timer(standby.next_deadline() or 0.0) for _ in range(6)]
    assert lines[:2] == [
        None,
        "standby process cannot be launched: Resource temporarily unavailable; the next one in 8 s",
    ]
    pauses = standby.next_deadline()
    assert pauses == pytest.approx(2 + 4 + 8 + 16 + 32 + 2 * LONGEST_PAUSE_S)


@pytest.fixture
def launched() -> list[Child]:
    """All processes of the test, in order."""
    return []


@pytest.fixture
def successors(launched: list[Child]) -> Iterator[Successors]:
    """One whose standby process was launched at the instant 12."""

    def launch_and_note() -> Child:
        launched.append(launch())
        return launched[-1]

    successors = Successors(launch_and_note, standbys=True)
    successors.plan_standby(10.0)
    assert successors.tend(12.0) == []
    yield successors
    successors.dismiss()
    for child in launched:
        child.kill()
    for child in (*launched, *successors.children()):
        reap(child)


def the_fork(successors: Successors) -> Child:
    """Who waits behind the one that was sent, once that has forked it."""
    (fork,) = (child for child in successors.children() if isinstance(child._process, ForkedProcess))
    hear_until(fork, lambda: fork.loaded)
    return fork


def test_the_standby_follows_and_then_its_fork(successors: Successors, launched: list[Child]) -> None:
    assert list(successors.children()) == launched
    assert successors.send() is launched[0]
    fork = the_fork(successors)
    launched[0].kill()
    reap(launched[0])
    assert successors.send() is fork
    fork.kill()
    reap(fork)


def test_a_fork_that_has_not_spoken_does_not_follow(successors: Successors, launched: list[Child]) -> None:
    os.kill(launched[0].pid or 0, signal.SIGSTOP)
    assert successors.send() is launched[0]
    assert successors.send() is launched[1]


def test_the_successor_follows_first_and_ends_the_standby(
    successors: Successors, launched: list[Child]
) -> None:
    successor = successors.launch_successor()
    assert successor is launched[1]
    assert successors.launch_successor() is successor
    assert not successors.successor_loaded
    hear_until(successor, lambda: successor.loaded)
    assert successors.successor_loaded
    assert successors.send() is successor
    assert launched[0] in successors.children()
    await_end(launched[0])
    assert successors.tend(13.0) == []
    assert list(successors.children()) == [the_fork(successors)]


def test_a_successor_that_ends_leaves_the_standby(successors: Successors, launched: list[Child]) -> None:
    successor = successors.launch_successor()
    successor.kill()
    await_end(successor)
    assert successors.tend(13.0) == [f"successor (pid {successor.pid}) was killed by SIGKILL"]
    assert not successors.successor_loaded
    assert successors.send() is launched[0]


def test_dismissed(successors: Successors, launched: list[Child]) -> None:
    successors.launch_successor()
    successors.plan_standby(13.0)
    successors.dismiss()
    assert {*successors.children()} == {*launched}
    for child in launched:
        await_end(child)
    assert successors.tend(99.0) == []
    assert (list(successors.children()), successors.next_deadline()) == ([], None)
