"""Asks many doors the same question at once: as a rule the parents, how their workers are."""

import time
from collections.abc import Mapping
from typing import Any

import zmq

from switchboard.bus import frames
from switchboard.bus.context import BusContext

ASK_AGAIN_MS = 20


class Board:
    """A view of a whole switchboard; nothing here blocks but `wait`.

    `endpoints`: name -> door. `answers`: by the same names; to `status` a list of workers each.
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
        self._sockets = {name: connect(context, endpoint) for name, endpoint in endpoints.items()}

    def ask(self) -> None:
        """Put the question to everybody who can be reached now."""
        for socket in self._sockets.values():
            try:
                socket.send(self._question, zmq.NOBLOCK)
            except zmq.Again:
                continue

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
        while len(self.answers) < len(self._sockets) and time.monotonic() < until:
            self.ask()
            poller.poll(ASK_AGAIN_MS)
            self.collect()

    def not_up(self) -> list[str]:
        """The components of which not all workers are up, or which have not answered."""
        return [name for name in self._sockets if not _all_up(self.answers.get(name, []))]

    def close(self) -> None:
        """Close the sockets."""
        for socket in self._sockets.values():
            socket.close()


def connect(context: BusContext, endpoint: str) -> zmq.Socket[bytes]:
    """A socket that asks at a door and keeps no question for one that is not there."""
    socket = context.socket(zmq.DEALER)
    socket.set(zmq.LINGER, 0)
    socket.set(zmq.IMMEDIATE, 1)
    socket.set(zmq.RECONNECT_IVL, ASK_AGAIN_MS)
    context.connect(socket, endpoint)
    return socket


def _all_up(workers: list[dict[str, Any]]) -> bool:
    return bool(workers) and all(worker["state"] == "up" for worker in workers)
