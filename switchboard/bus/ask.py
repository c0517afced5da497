"""The asking side of the `ask` and `control` doors."""

import math
from typing import Any

import zmq

from switchboard.bus import frames
from switchboard.bus.door import ERROR


class BusError(Exception):
    """A question got no answer: nobody there, too late, or refused; the text says which, for people."""


class Refused(BusError):
    """Somebody is there and says why there is no answer."""


def ask(endpoint: str, question: str, body: object = None, timeout_s: float = 1.0) -> Any:
    """Ask one question and return the answer; BusError when there is none within `timeout_s` seconds."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.set(zmq.LINGER, 0)
        socket.connect(endpoint)
        socket.send(frames.pack(question, body))
        if not socket.poll(math.ceil(timeout_s * 1000)):
            raise BusError(f"{endpoint} did not answer {question!r} within {timeout_s:g} s")
        return _answer(socket.recv())


def _answer(frame: bytes) -> Any:
    try:
        subject, body = frames.unpack(frame)
    except frames.FrameError as error:
        raise BusError(f"the answer is no frame: {error}") from error
    if subject == ERROR:
        raise Refused(str(body))
    return body
