"""The asking side of the `ask` and `control` doors."""

import math
from contextlib import nullcontext
from typing import Any

import zmq

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.door import ERROR


class BusError(Exception):
    """A question got no answer: nobody there, too late, or refused; the text says which, for people."""


class Refused(BusError):
    """Somebody is there and says why there is no answer."""


def ask(
    endpoint: str,
    question: str,
    body: object = None,
    timeout_s: float = 1.0,
    context: BusContext | None = None,
) -> Any:
    """Ask one question and return the answer; BusError when there is none within `timeout_s` seconds.

    `context`: the caller's own, which has the keys to other hosts.
    """
    with nullcontext(context) if context else BusContext() as ours, ours.socket(zmq.DEALER) as socket:
        socket.set(zmq.LINGER, 0)
        ours.connect(socket, endpoint)
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
