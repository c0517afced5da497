import time
from typing import Any

import pytest
from bus.inbox import all_items, bind_inbox, next_frame
from compiled import needs_compiled_core
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switchboard import codec
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoint, Endpoints
from switchboard.bus.outbox import BYTES_A_FRAME, ITEMS_A_FRAME, Outbox, PackedOutbox, PackedOutboxInPython
from switchboard.bus.peer import HIGH_WATER_MARK

HERE = Endpoint("inproc://peer", "peer.0")


def flush_within(outbox: Outbox, limit_s: float = 20.0) -> None:
    until = time.monotonic() + limit_s
    while not outbox.flush():
        assert time.monotonic() < until, "the peer never took the items"


def test_one_flush_is_one_frame(context: BusContext) -> None:
    inbox = bind_inbox(context, HERE)
    outbox = Outbox(context, HERE, "sip.send")
    for item in ("a", [1, b"raw"]):
        outbox.put(item)
    assert outbox.waiting == 2
    assert outbox.flush()
    assert next_frame(inbox) == ("sip.send", ["a", [1, b"raw"]])
    assert (outbox.waiting, outbox.sent, outbox.dropped) == (0, 2, 0)


def test_packed_items_arrive_like_others(context: BusContext) -> None:
    inbox = bind_inbox(context, HERE)
    outbox = PackedOutbox(context, HERE, "sip.received")
    items = [[number, bytes(1000)] for number in range(ITEMS_A_FRAME + BYTES_A_FRAME // 1000)]
    outbox.put_all(codec.pack(item) for item in items)
    assert outbox.flush()
    assert list(all_items(inbox, len(items))) == items


def test_nothing_waiting_is_flushed_without_a_frame(context: BusContext, endpoints: Endpoints) -> None:
    assert Outbox(context, endpoints.inbox("nobody"), "s").flush()


def test_items_wait_for_a_dead_peer_and_keep_their_order(context: BusContext, endpoints: Endpoints) -> None:
    outbox = Outbox(context, endpoints.inbox("router"), "s")
    outbox.put(1)
    assert not outbox.flush()
    outbox.put(2)
    assert (outbox.waiting, outbox.sent) == (2, 0)
    inbox = bind_inbox(context, endpoints.inbox("router"))
    flush_within(outbox)
    assert next_frame(inbox) == ("s", [1, 2])
    assert outbox.sent == 2


def test_of_too_many_items_the_oldest_are_dropped_and_counted(
    context: BusContext, endpoints: Endpoints
) -> None:
    outbox = Outbox(context, endpoints.inbox("nobody"), "s", keep=3)
    for item in range(10):
        outbox.put(item)
    assert (outbox.waiting, outbox.dropped) == (3, 7)
    assert outbox.take_back() == [7, 8, 9]
    assert (outbox.waiting, outbox.sent) == (0, 0)


def test_of_too_many_items_at_once_the_oldest_are_dropped(context: BusContext, endpoints: Endpoints) -> None:
    outbox = Outbox(context, endpoints.inbox("nobody"), "s", keep=3)
    outbox.put_all(range(5))
    outbox.put_all(range(5, 7))
    assert (outbox.waiting, outbox.dropped) == (3, 4)
    assert outbox.take_back() == [4, 5, 6]


def test_after_items_were_taken_back_nothing_waits(context: BusContext, endpoints: Endpoints) -> None:
    outbox = Outbox(context, endpoints.inbox("nobody"), "s")
    outbox.put(1)
    assert not outbox.flush()
    assert not outbox.flush()
    assert outbox.take_back() == [1]
    assert outbox.flush()


def test_a_drain_longer_than_keep_loses_nothing_while_the_peer_takes_it(context: BusContext) -> None:
    inbox = bind_inbox(context, HERE)
    outbox = Outbox(context, HERE, "s", keep=3)
    for item in range(10):
        outbox.put(item)
    assert outbox.flush()
    assert list(all_items(inbox, 10)) == list(range(10))
    assert outbox.dropped == 0


def test_frames_are_bounded_in_items(context: BusContext) -> None:
    inbox = bind_inbox(context, HERE)
    outbox = Outbox(context, HERE, "s")
    for item in range(ITEMS_A_FRAME + 1):
        outbox.put(item)
    assert outbox.flush()
    assert next_frame(inbox) == ("s", list(range(ITEMS_A_FRAME)))
    assert next_frame(inbox) == ("s", [ITEMS_A_FRAME])


def test_frames_are_bounded_in_bytes(context: BusContext) -> None:
    inbox = bind_inbox(context, HERE)
    outbox = Outbox(context, HERE, "s")
    items = [bytes([number]) * (BYTES_A_FRAME // 2) for number in range(4)]
    items.append(b"x" * 2 * BYTES_A_FRAME)
    for item in items:
        outbox.put(item)
    assert outbox.flush()
    received = list(all_items(inbox, len(items)))
    assert received == items
    assert not inbox.poll(0)


def test_what_a_hung_peer_does_not_take_waits(context: BusContext) -> None:
    inbox = bind_inbox(context, HERE)
    outbox = Outbox(context, HERE, "s")
    taken = 0
    while True:
        outbox.put(taken)
        if not outbox.flush():
            break
        taken += 1
    assert HIGH_WATER_MARK <= taken <= 2 * HIGH_WATER_MARK
    assert outbox.waiting == 1
    assert list(all_items(inbox, taken)) == list(range(taken))
    flush_within(outbox)
    assert next_frame(inbox) == ("s", [taken])


def test_counters_bear_the_peer_and_the_subject(context: BusContext, endpoints: Endpoints) -> None:
    outbox = Outbox(context, endpoints.inbox("router", 1), "sip.received")
    outbox.put(1)
    assert outbox.stats() == {
        "router.1.sip.received.sent": 0,
        "router.1.sip.received.dropped": 0,
        "router.1.sip.received.waiting": 1,
    }


def test_close_gives_up_what_waits(context: BusContext, endpoints: Endpoints) -> None:
    outbox = Outbox(context, endpoints.inbox("nobody"), "s")
    outbox.put(1)
    outbox.close()
    context.term()


PACKED = list(dict.fromkeys([PackedOutbox, PackedOutboxInPython]))


class Takes:
    """A peer that takes or refuses frames as it is told."""

    name = "peer.0"
    on_sent = None

    def __init__(self, answers: list[bool]) -> None:
        self.mouth = self
        self.answers = answers
        self.frames: list[bytes] = []

    @property
    def takes_frames(self) -> bool:
        return not self.answers or self.answers[-1]

    def send(self, frame: bytes) -> bool:
        return self.send_frame(frame)

    def send_frame(self, frame: bytes) -> bool:
        if self.answers and not self.answers.pop():
            return False
        self.frames.append(frame)
        return True


@pytest.mark.parametrize("make", PACKED)
def test_runs_of_packed_items_share_a_frame_with_others(
    context: BusContext, make: type[PackedOutboxInPython]
) -> None:
    inbox = bind_inbox(context, HERE)
    outbox = make(context, HERE, "s")
    outbox.put(codec.pack("a"))
    outbox.put((3, codec.pack(1) + codec.pack([b"raw"]) + codec.pack(None)))
    assert outbox.waiting == 4
    assert outbox.flush()
    assert next_frame(inbox) == ("s", ["a", 1, [b"raw"], None])
    assert (outbox.waiting, outbox.sent, outbox.dropped) == (0, 4, 0)


@pytest.mark.parametrize("make", PACKED)
def test_a_run_stays_together(context: BusContext, make: type[PackedOutboxInPython]) -> None:
    inbox = bind_inbox(context, HERE)
    outbox = make(context, HERE, "s")
    one = codec.pack(1)
    outbox.put_all([(200, 200 * one), (100, 100 * one), (300, 300 * one), one])
    assert outbox.flush()
    assert [len(next_frame(inbox)[1]) for _ in range(4)] == [200, 100, 300, 1]


@pytest.mark.parametrize("make", PACKED)
def test_of_too_many_the_oldest_runs_are_dropped_whole(
    context: BusContext, endpoints: Endpoints, make: type[PackedOutboxInPython]
) -> None:
    outbox = make(context, endpoints.inbox("nobody"), "s", keep=3)
    outbox.put_all([(2, b"ab"), b"c", b"d"])
    assert (outbox.waiting, outbox.dropped) == (2, 2)
    outbox.put((2, b"ef"))
    assert outbox.take_back() == [b"d", (2, b"ef")]
    assert (outbox.waiting, outbox.dropped) == (0, 3)


runs = st.one_of(
    st.binary(min_size=1, max_size=4),
    st.tuples(st.integers(1, 300), st.sampled_from([b"x", b"yy", bytes(BYTES_A_FRAME // 2)])),
)
steps = st.one_of(
    st.tuples(st.just("put"), runs),
    st.tuples(st.just("put_all"), st.lists(runs, max_size=4)),
    st.tuples(st.just("flush"), st.none()),
    st.tuples(st.just("take_back"), st.none()),
)


@needs_compiled_core
@given(st.lists(steps, max_size=20), st.lists(st.booleans(), max_size=10), st.sampled_from([3, 500]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_twins_agree(
    context: BusContext, steps: list[tuple[str, Any]], answers: list[bool], keep: int
) -> None:
    """On runs of any size, over a peer that takes frames or does not."""
    told = []
    for make in PACKED:
        outbox: Any = make(context, Endpoint("inproc://nobody", "peer.0"), "s", keep)
        outbox.peer.close()
        outbox.peer = Takes(list(answers))
        done = [
            getattr(outbox, step)() if given is None else getattr(outbox, step)(given)
            for step, given in steps
        ]
        told.append((done, outbox.stats(), outbox.peer.frames, outbox.take_back()))
    assert told[0] == told[1]
