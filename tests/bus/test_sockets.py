"""Both twins over real sockets; what is told of them holds for either."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest
import zmq
from bus.inbox import DEADLINE_MS

from switchboard.bus.context import BusContext
from switchboard.bus.sockets import Ears, EarsInPython, Mouth, MouthInPython

ENDPOINT = "inproc://ears"
LIMIT_S = DEADLINE_MS / 1000
EARS = list(dict.fromkeys([Ears, EarsInPython]))
MOUTHS = list(dict.fromkeys([Mouth, MouthInPython]))


@pytest.fixture(params=EARS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> type[Ears]:
    chosen: type[Ears] = request.param
    return chosen


@pytest.fixture
def inbox(context: BusContext) -> zmq.Socket[bytes]:
    return context.listen(zmq.PULL, [ENDPOINT])[0]


@pytest.fixture
def sender(context: BusContext, inbox: zmq.Socket[bytes]) -> zmq.Socket[bytes]:
    assert inbox
    socket = context.socket(zmq.PUSH)
    socket.connect(ENDPOINT)
    return socket


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def take_until_empty(ears: Ears, number: int = 0) -> list[bytes]:
    taken = []
    while (frame := ears.take(number)) is not None:
        taken.append(frame)
    return taken


def wait_for_frame(ears: Ears, number: int = 0) -> bytes:
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        ears.wait(LIMIT_S)
        if ears.hears(number) and (frame := ears.take(number)) is not None:
            return frame
    raise AssertionError("nothing was heard")


def test_frames_come_whole_and_in_order(
    kind: type[Ears], inbox: zmq.Socket[bytes], sender: zmq.Socket[bytes]
) -> None:
    ears = kind([inbox])
    frames = [b"", b"one", bytes(range(256)), b"x" * 100_000]
    for frame in frames:
        sender.send(frame)
    assert ears.wait(LIMIT_S)
    assert take_until_empty(ears) == frames
    assert take_until_empty(ears) == []


def test_what_was_left_is_heard_again_and_what_is_new_wakes_us(
    kind: type[Ears], inbox: zmq.Socket[bytes], sender: zmq.Socket[bytes]
) -> None:
    ears = kind([inbox])
    for _ in range(3):
        sender.send(b"a")
        sender.send(b"b")
        assert wait_for_frame(ears) == b"a"
        assert wait_for_frame(ears) == b"b"
        assert take_until_empty(ears) == []
        assert not ears.wait(0)
    late = threading.Timer(0.02, sender.send, [b"c"])
    late.start()
    assert wait_for_frame(ears) == b"c"
    late.join()


def test_silence_takes_its_time_and_tells_nothing(kind: type[Ears], inbox: zmq.Socket[bytes]) -> None:
    ears = kind([inbox])
    take_until_empty(ears)
    started = time.monotonic()
    assert not ears.wait(0.0201)
    assert time.monotonic() - started >= 0.0201
    assert not ears.hears(0)


def test_the_socket_that_is_heard_is_the_one_that_has_something(
    kind: type[Ears], context: BusContext, inbox: zmq.Socket[bytes], sender: zmq.Socket[bytes]
) -> None:
    quiet = context.listen(zmq.PULL, ["inproc://quiet"])[0]
    ears = kind([quiet, inbox])
    take_until_empty(ears, 0)
    take_until_empty(ears, 1)
    sender.send(b"x")
    assert ears.wait(LIMIT_S)
    assert [ears.hears(0), ears.hears(1)] == [False, True]


def test_a_socket_that_others_use_is_looked_at_again(
    kind: type[Ears], inbox: zmq.Socket[bytes], sender: zmq.Socket[bytes]
) -> None:
    ears = kind([inbox])
    take_until_empty(ears)
    sender.send(b"theirs")
    sender.send(b"ours")
    assert inbox.recv() == b"theirs"
    ears.look_again(0)
    assert ears.wait(LIMIT_S)
    assert ears.hears(0)
    assert ears.take(0) == b"ours"
    ears.look_again(0)
    assert not ears.wait(0)


def test_descriptors_are_watched_until_ignored(kind: type[Ears], pipe: tuple[int, int]) -> None:
    ears = kind([])
    other, other_end = os.pipe()
    readable, writable = pipe
    ears.watch(other)
    ears.watch(readable)
    assert not ears.wait(0)
    os.write(writable, b"1")
    assert ears.wait(LIMIT_S)
    assert [ears.is_readable(other), ears.is_readable(readable)] == [False, True]
    ears.ignore(other)
    assert ears.wait(0)
    assert ears.is_readable(readable)
    ears.ignore(readable)
    assert not ears.wait(0)
    os.close(other)
    os.close(other_end)


def test_a_signal_is_handled_while_we_wait(kind: type[Ears], inbox: zmq.Socket[bytes]) -> None:
    ears = kind([inbox])
    take_until_empty(ears)
    handled: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _frame: handled.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    ears.wait(0.1)
    signal.signal(signal.SIGALRM, before)
    assert handled == [signal.SIGALRM]


@pytest.mark.parametrize("kind_of_mouth", MOUTHS, ids=lambda kind: kind.__name__)
def test_a_mouth_sends_until_the_queue_is_full(context: BusContext, kind_of_mouth: type[Mouth]) -> None:
    socket = context.socket(zmq.PUSH)
    socket.set(zmq.SNDHWM, 2)
    socket.connect(ENDPOINT)
    mouth = kind_of_mouth(socket)
    assert [mouth.send(b"1"), mouth.send(b""), mouth.send(b"3")] == [True, True, False]
    inbox = context.listen(zmq.PULL, [ENDPOINT])[0]
    assert [inbox.recv(), inbox.recv()] == [b"1", b""]
