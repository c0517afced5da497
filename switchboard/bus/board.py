"""Asks many doors the same question at once: as a rule the parents, how their workers are."""

import time
from collections.abc import Mapping
from typing import Any

import zmq

from switchboard.bus import frames
from switchboard.bus.context import BusContext

ASK_AGAIN_MS = 20
"""Between two tries to reach somebody."""
PATIENCE_S = 0.5
"""Who was reached and does not answer for so long is asked once more: its successor may not have heard it."""


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
        for name in self._sockets:
            self._ask(name)

    def _ask(self, name: str) -> bool:
        """False: who is behind that door cannot be reached now."""
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
        """Whoever answers wakes us: that must not bring the others the same question once more."""
        for name, due_at in ask_at.items():
            if name not in self.answers and now >= due_at:
                ask_at[name] = now + (PATIENCE_S if self._ask(name) else ASK_AGAIN_MS / 1000)

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
