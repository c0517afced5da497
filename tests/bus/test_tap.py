"""What a worker sends, shown to whoever listens."""

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
from switchboard.bus.tap import Tap

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


def look_until(tap: Tap, *, is_open: bool) -> None:
    """Serve the tap as a worker's loop does."""
    poller = zmq.Poller()
    watched = tap.watch()
    for fd in watched:
        poller.register(fd, zmq.POLLIN)
    deadline = time.monotonic() + LIMIT_S
    while tap.is_open is not is_open:
        assert time.monotonic() < deadline, f"not within {LIMIT_S} s: is_open {is_open}"
        for fd, _ in poller.poll(50):
            watched[fd](0.0)


@contextmanager
def listening(context: BusContext, tap: Tap, *places: str) -> Iterator[Listener]:
    with closing(Listener(context, places)) as listener:
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


def test_frames_are_numbered_and_dated(context: BusContext, place: str) -> None:
    tap = Tap(context, [place], "edge-tx.0")
    with listening(context, tap, place) as listener:
        tap.publish(FRAME, "", 7)
        tap.publish(FRAME, "router.1", 2**60)
        found: list[object] = []
        while len(found) < 2:
            found += listener.frames(LIMIT_S)
    assert found == [
        ("tap.passed", ["edge-tx.0", 1, 7, "", FRAME]),
        ("tap.passed", ["edge-tx.0", 2, 2**60, "router.1", FRAME]),
    ]


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
        ((_, (owner, number, at_ns, name, frame)),) = listener.frames(LIMIT_S)
    assert (owner, number, name, frame) == ("edge-rx.0", 1, "router.0", FRAME)
    assert before_ns <= at_ns <= time.time_ns()
    look_until(tap, is_open=False)
    assert peer.send_frame(FRAME)
    assert tap.published == 1
    peer.close()
    inbox.close()


def test_a_listener_who_does_not_read_holds_up_nobody(context: BusContext, place: str) -> None:
    tap = Tap(context, [place], "router.0")
    with listening(context, tap, place):
        for _ in range(30_000):
            tap.publish(FRAME, "", 1)
    assert tap.published == 30_000


def test_who_is_not_there_is_not_reached(context: BusContext, place: str) -> None:
    with closing(Listener(context, [place])) as listener:
        assert not listener.connected(0.05)
        assert list(listener.frames(0.01)) == []
