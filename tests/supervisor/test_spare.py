"""The child that waits behind a worker; `now` is made up, the processes are real."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from supervisor.fake_children import await_end, hear_until, launch, reap

from switchboard.supervisor.child import Child
from switchboard.supervisor.spare import AFTER_S, LONGEST_PAUSE_S, Spare


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
