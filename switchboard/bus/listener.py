"""Listens to publishers from outside of a worker: for commands of people."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from switchboard.bus import frames
from switchboard.bus.context import BusContext

FRAMES_KEPT = 10_000


class Listener:
    """SUB sockets, one for each endpoint; a publisher that restarts is found again.

    `topic`: how the frames begin that are wanted.
    """

    def __init__(self, context: BusContext, endpoints: Iterable[str], topic: bytes = b"") -> None:
        self._poller = zmq.Poller()
        self._sockets = []
        self._monitors = []
        for endpoint in endpoints:
            socket = context.socket(zmq.SUB)
            socket.set(zmq.RCVHWM, FRAMES_KEPT)
            socket.set(zmq.LINGER, 0)
            self._monitors.append(socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED))
            socket.subscribe(topic)
            context.connect(socket, endpoint)
            self._sockets.append(socket)
            self._poller.register(socket, zmq.POLLIN)

    def connected(self, timeout_s: float) -> bool:
        """Wait until all publishers are reached; False: one is not, within the time."""
        deadline = time.monotonic() + timeout_s
        for monitor in self._monitors:
            left_s = max(0.0, deadline - time.monotonic())
            if not monitor.poll(int(left_s * 1000)):
                return False
            recv_monitor_message(monitor)
        return True

    def frames(self, timeout_s: float) -> Iterator[tuple[str, Any]]:
        """Yield (subject, body) of what has come, or comes in time; what is no frame is left out."""
        for socket, _ in self._poller.poll(int(timeout_s * 1000)):
            while socket.get(zmq.EVENTS) & zmq.POLLIN:
                try:
                    yield frames.unpack(socket.recv(zmq.NOBLOCK))
                except frames.FrameError:
                    continue

    def close(self) -> None:
        """Let go of the sockets."""
        for socket, monitor in zip(self._sockets, self._monitors, strict=True):
            socket.disable_monitor()
            monitor.close(linger=0)
            socket.close()
