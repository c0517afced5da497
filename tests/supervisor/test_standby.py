"""Growing pauses."""

import errno
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from supervisor.fake_children import await_end, hear_until, launch, reap

from switchboard.supervisor.child import Child, Twin
from switchboard.supervisor.standby import AFTER_S, LONGEST_PAUSE_S, Pauses, Reserve, Spare


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
def waiting() -> Iterator[Spare]:
    """A spare whose child was launched at the instant 12."""
    spare = Spare(launch, wanted=True)
    spare.plan(10.0)
    assert spare.handle_timer(12.0) is None
    yield spare
    if child := spare.take():
        end(child)


def end(child: Child) -> None:
    child.kill()
    await_end(child)
    assert child.reap()


def test_is_launched_some_time_after_the_worker_is_up() -> None:
    spare = Spare(launch, wanted=True)
    assert (spare.next_deadline(), spare.take()) == (None, None)
    spare.plan(10.0)
    assert spare.next_deadline() == 10.0 + AFTER_S
    spare.handle_timer(11.9)
    assert spare.child is None
    spare.handle_timer(12.0)
    assert spare.next_deadline() is None
    child = spare.take()
    assert child
    assert spare.take() is None
    end(child)


def test_is_taken_before_it_is_launched() -> None:
    spare = Spare(launch, wanted=True)
    spare.plan(10.0)
    assert spare.take() is None
    assert spare.next_deadline() is None


def test_is_not_wanted() -> None:
    spare = Spare(launch, wanted=False)
    spare.plan(10.0)
    assert spare.next_deadline() is None


def test_stays_when_the_worker_is_up_again() -> None:
    with waiting() as spare:
        child = spare.child
        spare.plan(20.0)
        assert (spare.child, spare.next_deadline()) == (child, None)
        assert spare.reap(20.0) is None


def test_the_twin_of_who_serves_waits_behind_it() -> None:
    spare = Spare(launch, wanted=True)
    serving = launch()
    spare.send(serving)
    twin = spare.child
    assert twin
    spare.plan(10.0)
    assert spare.next_deadline() is None
    hear_until(twin, lambda: twin.loaded)
    assert spare.take() is twin
    end(serving)
    twin.dismiss()
    reap(twin)


def test_a_twin_that_ends_is_replaced() -> None:
    spare = Spare(launch, wanted=True)
    serving = launch()
    spare.send(serving)
    twin = spare.child
    assert twin
    hear_until(twin, lambda: twin.loaded)
    twin.kill()
    hear_until(twin, lambda: twin.ready_fd is None)
    assert spare.reap(20.0) is None
    assert spare.next_deadline() == 20.0 + AFTER_S
    end(serving)


def test_a_twin_that_was_never_forked_is_replaced_when_the_worker_is_up() -> None:
    spare = Spare(launch, wanted=True)
    broken = launch("broken")
    spare.send(broken)
    twin = spare.child
    assert twin
    hear_until(twin, lambda: twin.ready_fd is None)
    assert spare.reap(20.0) is None
    assert (spare.child, spare.next_deadline()) == (None, None)
    reap(broken)


def test_no_twin_if_it_is_not_wanted() -> None:
    spare = Spare(launch, wanted=False)
    serving = launch()
    spare.send(serving)
    assert spare.child is None
    end(serving)


def test_one_that_ends_is_replaced_and_told_of_from_the_second_time_on() -> None:
    with waiting() as spare:
        said = []
        now = 12.0
        for _ in range(3):
            assert spare.child
            spare.child.kill()
            await_end(spare.child)
            line = spare.reap(now) or ""
            said.append(line.partition(") ")[2])
            now = spare.next_deadline() or 0.0
            assert spare.handle_timer(now) is None
    assert now == 12.0 + 4.0 + 8.0 + 16.0
    assert said == [
        "",
        "was killed by SIGKILL; the next one in 8 s",
        "was killed by SIGKILL; the next one in 16 s",
    ]


def test_one_that_cannot_be_launched_is_tried_again() -> None:
    def fail() -> Child:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    spare = Spare(fail, wanted=True)
    spare.plan(0.0)
    lines = [spare.handle_timer(spare.next_deadline() or 0.0) for _ in range(6)]
    assert lines[:2] == [
        None,
        "spare cannot be launched: Resource temporarily unavailable; the next one in 8 s",
    ]
    pauses = spare.next_deadline()
    assert pauses == pytest.approx(2 + 4 + 8 + 16 + 32 + 2 * LONGEST_PAUSE_S)


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
