"""The door at which a process answers questions (`ask`, `control`); the other side is `ask.py`."""

from dataclasses import dataclass
from typing import Any

import zmq

from switchboard.bus import frames
from switchboard.bus.context import BusContext

ERROR = "error"  # subject of a reply that carries a text instead of an answer


@dataclass(frozen=True, slots=True)
class Question:
    """A question that waits for its reply; `socket` is where it came in."""

    socket: zmq.Socket[bytes]
    asker: bytes
    subject: str
    body: Any

    def reply(self, body: object) -> None:
        """Answer it."""
        _send(self.socket, self.asker, self.subject, body)

    def refuse(self, text: str) -> None:
        """Say why it has no answer: a BusError with that text at the asker's."""
        _send(self.socket, self.asker, ERROR, text)


class Door:
    """Bound ROUTER sockets: take questions and reply to them, in any order and at any time.

    A reply to an asker that has gone is dropped. `sockets`: one an endpoint, for the owner's poller.
    """

    def __init__(self, context: BusContext, *endpoints: str) -> None:
        self.sockets = context.listen(zmq.ROUTER, endpoints, linger=0)
        self.bad_frames = 0

    def take(self) -> Question | None:
        """Return the next question; None if none waits. What is no question is counted and refused."""
        return next(filter(None, map(self._take, self.sockets)), None)

    def close(self) -> None:
        """Stop listening."""
        for socket in self.sockets:
            socket.close()

    def _take(self, socket: zmq.Socket[bytes]) -> Question | None:
        while True:
            try:
                asker, *parts = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return None
            try:
                subject, body = frames.unpack(b"".join(parts))
            except frames.FrameError as error:
                self.bad_frames += 1
                _send(socket, asker, ERROR, str(error))
            else:
                return Question(socket, asker, subject, body)


def _send(socket: zmq.Socket[bytes], asker: bytes, subject: str, body: object) -> None:
    socket.send_multipart([asker, frames.pack(subject, body)], zmq.NOBLOCK)
