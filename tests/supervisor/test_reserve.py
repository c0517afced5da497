"""Who follows: successor, spare or a new process; `now` is made up, the processes are real."""

import os
import signal
from collections.abc import Iterator

import pytest
from supervisor.fake_children import await_end, hear_until, launch, reap

from switchboard.supervisor.child import Child
from switchboard.supervisor.reserve import Reserve
from switchboard.supervisor.twin import Twin


@pytest.fixture
def launched() -> list[Child]:
    """All processes of the test, in order."""
    return []


@pytest.fixture
def reserve(launched: list[Child]) -> Iterator[Reserve]:
    """One whose spare was launched at the instant 12."""

    def launch_and_note() -> Child:
        launched.append(launch())
        return launched[-1]

    reserve = Reserve(launch_and_note, spares=True)
    reserve.plan_spare(10.0)
    assert reserve.tend(12.0) == []
    yield reserve
    reserve.dismiss()
    for child in launched:
        child.kill()
    for child in (*launched, *reserve.children()):
        reap(child)


def the_twin(reserve: Reserve) -> Child:
    """Who waits behind the one that was sent, once that has forked it."""
    (twin,) = (child for child in reserve.children() if isinstance(child._process, Twin))
    hear_until(twin, lambda: twin.loaded)
    return twin


def test_the_spare_follows_and_then_its_twin(reserve: Reserve, launched: list[Child]) -> None:
    assert list(reserve.children()) == launched
    assert reserve.send() is launched[0]
    twin = the_twin(reserve)
    launched[0].kill()
    reap(launched[0])
    assert reserve.send() is twin
    twin.kill()
    reap(twin)


def test_a_twin_that_has_not_spoken_does_not_follow(reserve: Reserve, launched: list[Child]) -> None:
    os.kill(launched[0].pid or 0, signal.SIGSTOP)
    assert reserve.send() is launched[0]
    assert reserve.send() is launched[1]


def test_the_successor_follows_first_and_ends_the_spare(reserve: Reserve, launched: list[Child]) -> None:
    successor = reserve.launch_successor()
    assert successor is launched[1]
    assert reserve.launch_successor() is successor
    assert not reserve.successor_loaded
    hear_until(successor, lambda: successor.loaded)
    assert reserve.successor_loaded
    assert reserve.send() is successor
    assert launched[0] in reserve.children()
    await_end(launched[0])
    assert reserve.tend(13.0) == []
    assert list(reserve.children()) == [the_twin(reserve)]


def test_a_successor_that_ends_leaves_the_spare(reserve: Reserve, launched: list[Child]) -> None:
    successor = reserve.launch_successor()
    successor.kill()
    await_end(successor)
    assert reserve.tend(13.0) == [f"successor (pid {successor.pid}) was killed by SIGKILL"]
    assert not reserve.successor_loaded
    assert reserve.send() is launched[0]


def test_dismissed(reserve: Reserve, launched: list[Child]) -> None:
    reserve.launch_successor()
    reserve.plan_spare(13.0)
    reserve.dismiss()
    assert {*reserve.children()} == {*launched}
    for child in launched:
        await_end(child)
    assert reserve.tend(99.0) == []
    assert (list(reserve.children()), reserve.next_deadline()) == ([], None)
