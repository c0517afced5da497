"""What a worker sends, shown to whoever listens."""

import math
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import zmq
from bus.contexts import OwningContext

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoint
from switchboard.bus.listener import Listener
from switchboard.bus.peer import Peer
from switchboard.bus.share import pick
from switchboard.bus.tap import GATHER_BYTES, GATHER_S, Tap, topic_of

LIMIT_S = 2.0
FRAME = frames.pack("sip.send", [])


@pytest.fixture
def context() -> Iterator[BusContext]:
    context = OwningContext()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def place(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/tap"


def serve(tap: Tap) -> None:
    """Once, as a worker's loop does."""
    poller = zmq.Poller()
    watched = tap.watch()
    for fd in watched:
        poller.register(fd, zmq.POLLIN)
    for fd, _ in poller.poll(50):
        watched[fd](0.0)


def look_until(tap: Tap, *, is_open: bool) -> None:
    deadline = time.monotonic() + LIMIT_S
    while tap.is_open is not is_open:
        assert time.monotonic() < deadline, f"not within {LIMIT_S} s: is_open {is_open}"
        serve(tap)


@contextmanager
def listening(context: BusContext, tap: Tap, *places: str, halvings: int = 0) -> Iterator[Listener]:
    with closing(Listener(context, places, topic_of(halvings))) as listener:
        assert listener.connected(LIMIT_S)
        look_until(tap, is_open=True)
        yield listener


def test_it_is_open_while_somebody_listens(context: BusContext, place: str) -> None:
    tap = Tap(context, [place], "router.0")
    assert not tap.is_open
    with listening(context, tap, place):
        assert tap.is_open
    look_until(tap, is_open=False)
    with listening(context, tap, place):
        assert tap.is_open


def test_frames_are_gathered_numbered_and_dated(context: BusContext, place: str) -> None:
    tap = Tap(context, [place], "edge-tx.0")
    with listening(context, tap, place) as listener:
        tap.publish(FRAME, "", 7)
        due_at = tap.due_at
        tap.publish(FRAME, "router.1", 2**60)
        assert tap.due_at == due_at <= time.monotonic() + GATHER_S
        tap.handle_timer(due_at - 0.001)
        assert tap.published == 0
        tap.handle_timer(due_at)
        assert tap.due_at == math.inf
        tap.publish(FRAME, "", 8)
        tap.tell()
        found: list[object] = []
        while len(found) < 2:
            found += listener.frames(LIMIT_S)
    assert found == [
        ("tap.passed.0", ["edge-tx.0", 1, [[7, "", FRAME], [2**60, "router.1", FRAME]]]),
        ("tap.passed.0", ["edge-tx.0", 2, [[8, "", FRAME]]]),
    ]


def test_many_are_told_at_once(context: BusContext, place: str) -> None:
    tap = Tap(context, [place], "edge-tx.0")
    with listening(context, tap, place):
        tap.publish(frames.pack("sip.send", [[b"flow", b"x" * GATHER_BYTES]]), "", 7)
    assert (tap.published, tap.due_at) == (1, math.inf)


def test_who_asks_for_a_share_of_the_calls_is_told_of_these(context: BusContext, place: str) -> None:
    items = [["h", 1, "", b"BYE sip:a SIP/2.0\r\nCall-ID: %d\r\n\r\n" % each] for each in range(20)]
    whole = frames.pack("sip.send", items)
    tap = Tap(context, [place], "edge-tx.0")
    with listening(context, tap, place) as all_of_it:
        tap.publish(whole, "", 7)
        with closing(Listener(context, [place], topic_of(1))) as half:
            while len(tap.shares) < 2:
                serve(tap)
            tap.tell()
            ((_, (_, _, all_told)),) = all_of_it.frames(LIMIT_S)
            ((subject, (_, _, half_told)),) = half.frames(LIMIT_S)
    assert all_told == [[7, "", whole]]
    assert (subject, half_told) == ("tap.passed.1", [[7, "", pick(whole, 1)]]), "also what had been gathered"


def test_what_a_peer_takes_is_shown(context: BusContext, place: str, tmp_path: Path) -> None:
    inbox = context.socket(zmq.PULL)
    where = Endpoint(f"ipc://{tmp_path}/inbox", "router.0")
    inbox.bind(where)
    peer = Peer(context, where)
    tap = Tap(context, [place], "edge-rx.0", [peer])
    deadline = time.monotonic() + LIMIT_S
    while not peer.send_frame(FRAME):
        assert time.monotonic() < deadline
    assert tap.published == 0, "nobody listened"
    with listening(context, tap, place) as listener:
        before_ns = time.time_ns()
        assert peer.send_frame(FRAME)
        tap.tell()
        ((_, (owner, number, ((at_ns, name, frame),))),) = listener.frames(LIMIT_S)
    assert (owner, number, name, frame) == ("edge-rx.0", 1, "router.0", FRAME)
    assert before_ns <= at_ns <= time.time_ns()
    look_until(tap, is_open=False)
    assert peer.send_frame(FRAME)
    assert (tap.published, tap.due_at) == (1, math.inf)
    peer.close()
    inbox.close()


def test_a_listener_who_does_not_read_holds_up_nobody(context: BusContext, place: str) -> None:
    tap = Tap(context, [place], "router.0")
    with listening(context, tap, place):
        for _ in range(30_000):
            tap.publish(FRAME, "", 1)
            tap.tell()
    assert tap.published == 30_000


def test_who_is_not_there_is_not_reached(context: BusContext, place: str) -> None:
    with closing(Listener(context, [place])) as listener:
        assert not listener.connected(0.05)
        assert list(listener.frames(0.01)) == []
