"""Tells everybody who listens what has happened; who does not listen misses it."""

from collections.abc import Sequence

import zmq

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.peer import LINGER_MS

FRAMES_KEPT = 10_000


class Publisher:
    """Bound PUB sockets; each subscriber that is slow misses what goes beyond FRAMES_KEPT."""

    def __init__(self, context: BusContext, endpoints: Sequence[str]) -> None:
        self._sockets = context.listen(zmq.PUB, endpoints, sndhwm=FRAMES_KEPT, linger=LINGER_MS)

    def send(self, subject: str, body: object) -> None:
        """Publish one frame."""
        frame = frames.pack(subject, body)
        for socket in self._sockets:
            socket.send(frame)

    def close(self) -> None:
        """Let go of the sockets."""
        for socket in self._sockets:
            socket.close()
