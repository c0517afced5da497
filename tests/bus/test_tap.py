"""What a worker sends, shown to whoever listens."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from zlib import crc32

import pytest
import zmq
from bus.contexts import OwningContext
from flows import packed
from hypothesis import given
from hypothesis import strategies as st

from switchboard import codec
from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoint
from switchboard.bus.peer import Peer
from switchboard.bus.tap import (
    GATHER_BYTES,
    GATHER_S,
    Listener,
    Tap,
    call_id_on_wire,
    pick,
    pick_in_python,
    topic_of,
)

Pick = Callable[[bytes, int], bytes]
PICKS = pytest.mark.parametrize("picks", [pick, pick_in_python])


def message(call_id: str) -> bytes:
    return f"INVITE sip:a SIP/2.0\r\nVia: x\r\nCall-ID: {call_id}\r\n\r\nbody".encode()


def is_in_half(call_id: str) -> bool:
    return not crc32(call_id.encode()) >> 16 & 1


NAMES = [f"call-{number}@host" for number in range(40)]


@PICKS
def test_half_of_the_calls_as_a_whole(picks: Pick) -> None:
    items = [[packed("10.0.0.2", 5060), message(name)] for name in NAMES]
    picked = picks(frames.pack("sip.send", items), 1)
    expected = [item for name, item in zip(NAMES, items, strict=True) if is_in_half(name)]
    assert 10 < len(expected) < 30
    assert frames.unpack(picked) == ("sip.send", expected)


@PICKS
def test_what_came_in_without_the_instants_between(picks: Pick) -> None:
    name = next(filter(is_in_half, NAMES))
    item = [packed("10.0.0.2", 70, "10.0.0.1"), b"\1\2", message(name)]
    assert frames.unpack(picks(frames.pack("sip.received", [item, 12.5]), 1)) == ("sip.received", [item])


@PICKS
def test_nothing_is_left_of_other_calls(picks: Pick) -> None:
    other = next(name for name in NAMES if not is_in_half(name))
    item = [packed("10.0.0.2", 5060), message(other), "lukas", "sk"]
    assert picks(frames.pack("sip.translate", [item, [packed("h", 1), b"no message"]]), 1) == b""


@PICKS
def test_the_whole_is_the_frame_itself(picks: Pick) -> None:
    frame = frames.pack("sip.send", [[packed("h", 1), b"no message"]])
    assert picks(frame, 0) is frame


@PICKS
@pytest.mark.parametrize("frame", [b"", b"\xc1", codec.pack([1, "sip.send", []])])
def test_what_is_no_frame_is_refused(picks: Pick, frame: bytes) -> None:
    with pytest.raises(frames.FrameError):
        picks(frame, 1)


LINES = st.sampled_from(
    [
        b"Call-ID",
        b"call-id",
        b"CALL\rID",
        b"i",
        b"I",
        b"In",
        b":",
        b" ",
        b"\t",
        b"\n",
        b"\r\n",
        b"a@b",
        b"\x0b",
        b"",
    ]
)
MESSAGES = st.lists(LINES | st.binary(max_size=3), max_size=12).map(b"".join)
ITEMS = st.one_of(
    st.floats(allow_nan=False),
    st.tuples(st.binary(max_size=300), MESSAGES),
    st.tuples(st.binary(max_size=9), st.binary(max_size=9), MESSAGES),
    st.tuples(st.binary(max_size=9), MESSAGES, st.text(max_size=40), st.text(max_size=3)),
    st.lists(st.none() | MESSAGES | st.text(max_size=3) | st.integers(-1, 70_000), max_size=4),
)


@given(st.lists(ITEMS, max_size=20), st.integers(0, 3))
def test_the_twins_agree(items: list[object], halvings: int) -> None:
    frame = frames.pack("sip.received", items)
    assert pick(frame, halvings) == pick_in_python(frame, halvings)


@pytest.mark.parametrize("line", [b"Call-ID: a@b", b"i:a@b \t", b"CALL-id \t:\ta@b"])
def test_how_a_call_id_is_written(line: bytes) -> None:
    assert call_id_on_wire(b"BYE sip:a SIP/2.0\r\nVia: x\r\n" + line + b"\r\n\r\n") == b"a@b"


LIMIT_S = 20.0
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
            while len(tap.samples) < 2:
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
