"""Remote procedure calls between processes: the `ask` and `control` sockets, and clients that ask one or many servers.

A group asks many servers the same question at once; most often it asks the parents for the state of their workers.
"""

import math
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import zmq

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.link import NAMELESS, Link

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


class RpcServer:
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


class RpcError(Exception):
    """A question got no answer: nobody there, too late, or refused; the text says which, for people."""


class RpcRefused(RpcError):
    """Somebody is there and says why there is no answer."""


def call_rpc(
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
        if not ours.connect(socket, endpoint):
            raise RpcError(f"{endpoint} cannot be asked: {NAMELESS}")
        socket.send(frames.pack(question, body))
        if not socket.poll(math.ceil(timeout_s * 1000)):
            raise RpcError(f"{endpoint} did not answer {question!r} within {timeout_s:g} s")
        return _answer(socket.recv())


def _answer(frame: bytes) -> Any:
    try:
        subject, body = frames.unpack(frame)
    except frames.FrameError as error:
        raise RpcError(f"the answer is no frame: {error}") from error
    if subject == ERROR:
        raise RpcRefused(str(body))
    return body


ASK_AGAIN_MS = 20
"""Between two tries to reach somebody."""
PATIENCE_S = 0.5
"""A server that was reached and does not answer for this time is asked again: its successor may not know of it."""


class RpcGroup:
    """A view of a whole switchboard; nothing here blocks but `wait`.

    `endpoints`: name -> its socket. `answers`: by the same names; to `status` a list of workers each.
    """

    def __init__(
        self,
        context: BusContext,
        endpoints: Mapping[str, str],
        question: str = "status",
        body: object = None,
    ) -> None:
        self.answers: dict[str, Any] = {}
        self._question = frames.pack(question, body)
        self._links = {name: connect(context, endpoint) for name, endpoint in endpoints.items()}
        self._sockets = {name: link.socket for name, link in self._links.items()}
        self._rest: list[str] = []

    def ask(self) -> None:
        """Put the question to everybody who can be reached now."""
        self._rest = [name for name in self._links if not self._ask(name)]

    def ask_rest(self) -> None:
        """Put it to those who could not be reached when all were asked last."""
        self._rest = [name for name in self._rest if not self._ask(name)]

    def _ask(self, name: str) -> bool:
        """False: who serves there cannot be reached now."""
        self._links[name].look(time.monotonic())
        try:
            self._sockets[name].send(self._question, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def collect(self) -> None:
        """Take the answers that have come; the latest of each counts."""
        for name, socket in self._sockets.items():
            while socket.poll(0):
                _, self.answers[name] = frames.unpack(socket.recv())

    def wait(self, timeout_s: float) -> None:
        """Ask until all have answered, at most `timeout_s` seconds."""
        poller = zmq.Poller()
        for socket in self._sockets.values():
            poller.register(socket, zmq.POLLIN)
        until = time.monotonic() + timeout_s
        ask_at = dict.fromkeys(self._sockets, 0.0)
        while len(self.answers) < len(self._sockets) and time.monotonic() < until:
            self._ask_who_is_due(ask_at, time.monotonic())
            poller.poll(ASK_AGAIN_MS)
            self.collect()

    def _ask_who_is_due(self, ask_at: dict[str, float], now: float) -> None:
        """Each answer wakes us up: that must not send the same question to the others again."""
        for name, due_at in ask_at.items():
            if name not in self.answers and now >= due_at:
                ask_at[name] = now + (PATIENCE_S if self._ask(name) else ASK_AGAIN_MS / 1000)

    def not_up(self) -> list[str]:
        """The components of which not all workers are up, or which have not answered."""
        return [name for name in self._sockets if not _all_up(self.answers.get(name, []))]

    def close(self) -> None:
        """Close the sockets."""
        for link in self._links.values():
            link.close()


def connect(context: BusContext, endpoint: str) -> Link:
    """A socket that asks a server and keeps no question for one that is not there."""
    socket = context.socket(zmq.DEALER)
    socket.set(zmq.LINGER, 0)
    socket.set(zmq.IMMEDIATE, 1)
    socket.set(zmq.RECONNECT_IVL, ASK_AGAIN_MS)
    return context.link(socket, endpoint)


def _all_up(workers: list[dict[str, Any]]) -> bool:
    return bool(workers) and all(worker["state"] == "up" for worker in workers)
