"""Sockets of ZeroMQ as a worker uses them round after round; whatever else they need, pyzmq does."""

import math
from collections.abc import Sequence

import zmq

_EVENTS, _POLLIN = int(zmq.EVENTS), int(zmq.POLLIN)  # their enums cost more than the question
_POLLERR = int(zmq.POLLERR)


class EarsInPython:
    """The reference of `Ears`: what a worker hears, the sockets that it takes frames from and the descriptors
    that it watches. Sockets go by their place in `sockets`, descriptors by their number."""

    def __init__(self, sockets: Sequence[zmq.Socket[bytes]]) -> None:
        self._sockets = list(sockets)
        self._poller = zmq.Poller()
        self._ready: dict[object, int] = {}
        for socket in self._sockets:
            self._poller.register(socket, zmq.POLLIN)

    def watch(self, fd: int) -> None:
        """Listen to this descriptor, too."""
        self._poller.register(fd, zmq.POLLIN)

    def ignore(self, fd: int) -> None:
        """Listen to it no more."""
        self._poller.unregister(fd)

    def wait(self, wait_s: float) -> bool:
        """Wait until something may be there. False: nothing came within `wait_s`, rounded up to ms."""
        self._ready = dict(self._poller.poll(math.ceil(wait_s * 1000)))
        return bool(self._ready)

    def hears(self, number: int) -> bool:
        """Whether the last `wait` found that socket worth a look."""
        return self._sockets[number] in self._ready

    def is_readable(self, fd: int) -> bool:
        """Whether the last `wait` found that descriptor readable."""
        return fd in self._ready

    def has_error(self, fd: int) -> bool:
        """Whether it found an error there, such as the network tells of what was sent."""
        return bool(self._ready.get(fd, 0) & _POLLERR)

    def take(self, number: int) -> bytes | None:
        """Return the next frame of a socket, None if there is none. Frames are of one part."""
        socket = self._sockets[number]
        # Cheaper than the exception of a `recv` that finds nothing.
        return socket.recv(zmq.NOBLOCK) if int(socket.get(_EVENTS)) & _POLLIN else None

    def look_again(self, number: int) -> None:
        """To be called after others have used that socket: what they left behind would not wake us."""


class MouthInPython:
    """The reference of `Mouth`: what goes out at one socket."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._socket = socket

    def send(self, frame: bytes) -> bool:
        """Send one frame; never waits. False: the socket does not take it now."""
        try:
            self._socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True


try:
    from switchboard._native.wire import Ears as Ears
    from switchboard._native.wire import Mouth as Mouth
    from switchboard._native.wire import find_libzmq

    find_libzmq()
except ImportError:
    Ears = EarsInPython  # type: ignore[assignment, misc]
    Mouth = MouthInPython  # type: ignore[assignment, misc]
