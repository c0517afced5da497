"""What is kept of the items for a receiver until it has taken them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from bus.contexts import OwningContext
from bus.inbox import bind_inbox, next_frame

from switchboard import codec
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.outbox import PackedOutbox
from switchboard.core.overload import Overload
from switchboard.edge.receivers import MARK_EVERY_S, MOST, REPEATED_S, Receiver

AHEAD = 0.5
"""The stamp of marks ahead of items."""


class Bench:
    def __init__(self, directory: Path, context: OwningContext) -> None:
        endpoint = Endpoints(directory).inbox("router", 0)
        self.inbox: zmq.Socket[bytes] = bind_inbox(context, endpoint)
        self.receiver = Receiver(PackedOutbox(context, endpoint, "sip.received"), Overload(), 3)
        while not self.receiver.outbox.peer.takes_frames:
            self.inbox.poll(10)

    def put(self, *numbers: int) -> None:
        for number in numbers:
            self.receiver.put(codec.pack(number))

    def heard(self, now: float, ahead: float = AHEAD) -> list[Any]:
        """Items, and marks as floats, after a flush."""
        self.receiver.ask(ahead)
        self.receiver.outbox.flush()
        self.receiver.mark(now)
        found: list[Any] = []
        while self.inbox.poll(50):
            subject, body = next_frame(self.inbox)
            found += [body[1]] if subject == "sip.mark" else body
        return found


@pytest.fixture
def bench() -> Iterator[Bench]:
    context = OwningContext()
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        yield Bench(Path(directory), context)
        context.destroy(linger=0)


def test_items_are_kept_until_their_mark_comes_back(bench: Bench) -> None:
    assert bench.heard(1.0) == [1.0], "which life is it in?"
    bench.receiver.take(1.0, "a", 1.0, 1.0)
    bench.put(1, 2)
    assert bench.heard(2.0) == [1, 2, 2.0]
    assert bench.receiver.reached() == 0
    bench.receiver.take(2.0, "a", 1.0, 2.1)
    assert (bench.receiver.reached(), bench.receiver.due_at()) == (2, None)


def test_marks_are_not_too_many_and_are_repeated(bench: Bench) -> None:
    bench.heard(1.0)
    bench.receiver.take(1.0, "a", 1.0, 1.0)
    bench.put(1)
    assert bench.heard(2.0) == [1, 2.0]
    bench.put(2)
    assert bench.heard(2.0 + MARK_EVERY_S / 2) == [2]
    assert bench.heard(3.0) == [3.0]
    assert bench.heard(3.0 + REPEATED_S / 2) == []
    assert bench.heard(4.0) == [4.0]


def test_another_life_gets_all_again_that_was_not_taken(bench: Bench) -> None:
    bench.heard(1.0)
    bench.receiver.take(1.0, "a", 1.0, 1.0)
    bench.put(1, 2)
    bench.heard(2.0)
    bench.receiver.take(2.0, "a", 1.0, 2.0)
    bench.put(3)
    bench.heard(3.0)
    bench.put(4)  # waits in the outbox still
    bench.receiver.take(3.0, "b", 3.0, 3.1)
    assert bench.receiver.reached() == 2
    assert bench.heard(4.0) == [3, 4, 4.0]
    bench.receiver.take(4.0, "b", 3.0, 4.1)
    assert (bench.receiver.reached(), bench.receiver.resent) == (4, 1)


def test_a_first_answer_that_may_be_of_a_successor_says_nothing(bench: Bench) -> None:
    bench.put(1)
    assert bench.heard(1.0) == [AHEAD, 1, 1.0]
    bench.receiver.take(1.0, "a", 1.0, 1.1)
    assert bench.heard(2.0) == [1, 2.0]


def test_a_bounded_number_is_kept(bench: Bench) -> None:
    bench.put(*range(MOST + 5))
    assert (bench.receiver.reached(), bench.receiver.forgotten) == (5, 5)


def test_what_comes_after_a_pause_comes_once_to_another_life(bench: Bench) -> None:
    """The mark ahead of it tells that it is another one, with nothing on its way to the one before."""
    bench.heard(1.0)
    bench.receiver.take(1.0, "a", 1.0, -REPEATED_S)
    bench.put(1, 2)
    assert bench.heard(2.0, 1.5) == [1.5, 1, 2, 2.0]
    bench.receiver.take(2.0, "b", 1.5, 2.1)
    assert (bench.receiver.reached(), bench.receiver.resent) == (2, 0)


def test_a_mark_ahead_says_nothing_of_what_is_behind_it(bench: Bench) -> None:
    """It comes back at once, from a receiver that is killed before it has kept the item."""
    bench.heard(1.0)
    bench.receiver.take(1.0, "a", 1.0, 1.0)
    bench.put(1)
    bench.receiver.ask(2.0)
    bench.receiver.outbox.flush()
    bench.receiver.mark(2.0)
    ahead, item, behind = (next_frame(bench.inbox)[1] for _ in range(3))
    assert item == [1]
    bench.receiver.take(ahead[1], "a", 1.0, 2.0)
    assert bench.receiver.reached() == 0
    bench.receiver.take(behind[1], "b", behind[1], 3.0)
    assert bench.heard(4.0)[0] == 1, "the next life gets it"


def test_no_mark_goes_ahead_where_another_is_on_its_way_or_was_heard_now(bench: Bench) -> None:
    bench.heard(1.0)
    bench.receiver.take(1.0, "a", 1.0, -REPEATED_S)
    bench.put(1)
    bench.heard(2.0)
    bench.put(2)
    assert bench.heard(3.0) == [2, 3.0]
    bench.receiver.take(3.0, "a", 1.0, AHEAD)
    bench.put(3)
    assert bench.heard(4.0) == [3, 4.0]


def test_a_receiver_that_was_there_before_us_gets_nothing_twice(bench: Bench) -> None:
    bench.put(1)
    assert bench.heard(1.0) == [AHEAD, 1, 1.0]
    bench.receiver.take(1.0, "a", -5.0, 1.1)
    assert (bench.receiver.reached(), bench.receiver.resent) == (1, 0)


def test_what_one_that_is_away_has_not_taken_is_given_up(bench: Bench) -> None:
    """It was sent, or waits; marks that come back later mean nothing."""
    bench.put(1)
    bench.heard(1.0)
    bench.receiver.take(1.0, "a", AHEAD, 1.0)
    bench.put(2)
    bench.heard(2.0)
    bench.put(3)
    assert bench.receiver.give_up() == [codec.pack(2), codec.pack(3)]
    assert (bench.receiver.reached(), bench.receiver.outbox.waiting, bench.receiver.due_at()) == (3, 0, None)
    bench.receiver.take(2.0, "a", AHEAD, 3.0)
    bench.put(4)
    assert bench.heard(4.0)[-2:] == [4, 4.0]
    assert bench.receiver.reached() == 3
