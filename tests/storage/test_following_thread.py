"""A thread that follows a server, and the loop that it wakes (`storage/following_thread.py`)."""

import errno
import select
import threading
from collections.abc import Callable, Iterator

import pytest
from registrar.locations import await_true

from switchboard.storage.following_thread import FollowingThread
from switchboard.storage.unusable import RemoteError

AWAY = RemoteError("it is away", errno.ECONNREFUSED)
SOON_S, LONG_S = 0.005, 20.0


class Counting(FollowingThread[int]):
    """Finds 1, 2, 3, … up to `most`; `fault`: what it meets instead."""

    def __init__(self, most: int, queued: int = 2) -> None:
        super().__init__("counting", queued, SOON_S)
        self.fault: RemoteError | None = None
        self.found, self.most = 0, most
        self.has_let_go = threading.Event()

    def go_round(self) -> float:
        if self.fault:
            raise self.fault
        self._tell_up()
        if self.found < self.most:
            self.found += 1
            self._put(self.found)
        return 0.0 if self.found < self.most else SOON_S

    def _let_go(self) -> None:
        self.has_let_go.set()


@pytest.fixture
def make() -> Iterator[Callable[[int], Counting]]:
    made: list[Counting] = []

    def begin(most: int) -> Counting:
        made.append(Counting(most))
        made[-1].start(LONG_S)
        return made[-1]

    yield begin
    for each in made:
        each.close()


def test_news_comes_in_order_and_is_never_too_much(make: Callable[[int], Counting]) -> None:
    thread = make(50)
    await_true(lambda: thread.found == 3)  # two wait, one is held
    taken: list[int] = []
    while len(taken) < 50:
        assert select.select([thread.fd], [], [], LONG_S)[0]
        thread.heard()
        while (news := thread.take()) is not None:
            taken.append(news)
    assert taken == list(range(1, 51))
    assert (thread.is_waiting, thread.take()) == (False, None)


def test_the_loop_is_woken_when_the_server_goes_and_comes_back(make: Callable[[int], Counting]) -> None:
    thread = make(0)
    assert thread.is_up
    for fault in (AWAY, None):
        thread.heard()
        thread.fault = fault
        await_true(lambda fault=fault: thread.is_up == (fault is None))  # type: ignore[misc]
        assert select.select([thread.fd], [], [], LONG_S)[0]
    assert thread.error is AWAY


def test_what_the_loop_has_seen_is_looked_at_anew(make: Callable[[int], Counting]) -> None:
    thread = make(0)
    thread.failed(AWAY)
    await_true(lambda: thread.is_up)


def test_it_ends_though_nobody_takes_its_news(make: Callable[[int], Counting]) -> None:
    thread = make(50)
    thread.close()
    thread.close()
    assert thread.has_let_go.wait(LONG_S)
