"""The door at which a process answers questions (`ask`, `control`); the other side is `ask.py`."""

from dataclasses import dataclass
from typing import Any

import zmq

from switchboard.bus import frames

ERROR = "error"  # subject of a reply that carries a text instead of an answer


@dataclass(frozen=True, slots=True)
class Question:
    """A question that waits for its reply."""

    asker: bytes
    subject: str
    body: Any


class Door:
    """A bound ROUTER socket: takes questions and replies to them, in any order and at any time.

    A reply to an asker that has gone is dropped. `socket` is for the poller of the owner.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str) -> None:
        self.socket = context.socket(zmq.ROUTER)
        self.socket.set(zmq.LINGER, 0)
        self.socket.bind(endpoint)
        self.bad_frames = 0

    def take(self) -> Question | None:
        """Return the next question; None if none waits. What is no question is counted and refused."""
        while True:
            try:
                asker, *parts = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return None
            try:
                subject, body = frames.unpack(b"".join(parts))
            except frames.FrameError as error:
                self.bad_frames += 1
                self._send(asker, ERROR, str(error))
            else:
                return Question(asker, subject, body)

    def reply(self, question: Question, body: object) -> None:
        """Answer a question."""
        self._send(question.asker, question.subject, body)

    def refuse(self, question: Question, text: str) -> None:
        """Say why a question has no answer: a BusError with that text at the asker's."""
        self._send(question.asker, ERROR, text)

    def close(self) -> None:
        """Stop listening."""
        self.socket.close()

    def _send(self, asker: bytes, subject: str, body: object) -> None:
        self.socket.send_multipart([asker, frames.pack(subject, body)], zmq.NOBLOCK)
