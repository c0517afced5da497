"""Tells everybody who listens what has happened; who does not listen misses it."""

from collections.abc import Sequence

import zmq

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.peer import LINGER_MS

FRAMES_KEPT = 10_000
_SUBSCRIBES = b"\x01"


class Publisher:
    """Bound XPUB sockets; each subscriber that is slow misses what goes beyond FRAMES_KEPT."""

    def __init__(self, context: BusContext, endpoints: Sequence[str]) -> None:
        options = {"sndhwm": FRAMES_KEPT, "linger": LINGER_MS, "xpub_verbose": 1}
        self._sockets = context.listen(zmq.XPUB, endpoints, **options)

    @property
    def fds(self) -> list[int]:
        """Readable when somebody may have subscribed. Sending may silence them: ask after each round, too."""
        return [int(socket.get(zmq.FD)) for socket in self._sockets]

    def has_newcomers(self) -> bool:
        """Whether somebody has subscribed since the last time: who has missed what was sent before."""
        found = False
        for socket in self._sockets:
            while int(socket.get(zmq.EVENTS)) & zmq.POLLIN:
                found |= socket.recv(zmq.NOBLOCK)[:1] == _SUBSCRIBES
        return found

    def send(self, subject: str, body: object) -> None:
        """Publish one frame."""
        frame = frames.pack(subject, body)
        for socket in self._sockets:
            socket.send(frame)

    def close(self) -> None:
        """Let go of the sockets."""
        for socket in self._sockets:
            socket.close()
