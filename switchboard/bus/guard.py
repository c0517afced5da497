"""Lets only the hosts of our own switchboard in (ZAP, ZeroMQ RFC 27; CURVE, RFC 26)."""

from collections.abc import Iterable

import zmq
from zmq.utils import z85

ENDPOINT = "inproc://zeromq.zap.01"
_VERSION = b"1.0"


class Guard:
    """Answers libzmq's question whether a key may connect; `socket` is for the poller of the owner.

    `refused` counts those turned away.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], allowed: Iterable[bytes]) -> None:
        self.refused = 0
        self._strangers: set[str] = set()
        self._allowed = frozenset(z85.decode(key) for key in allowed)
        self.socket = context.socket(zmq.REP)
        self.socket.set(zmq.LINGER, 0)
        self.socket.bind(ENDPOINT)

    def serve(self) -> None:
        """Answer what waits."""
        while self.socket.poll(0):
            _, request, _, address, _, mechanism, *credentials = self.socket.recv_multipart()
            known = mechanism == b"CURVE" and credentials[:1] and credentials[0] in self._allowed
            if not known:
                self.refused += 1
                self._strangers.add(address.decode(errors="replace"))
            status, text = (b"200", b"OK") if known else (b"400", b"unknown key")
            self.socket.send_multipart([_VERSION, request, status, text, b"", b""])

    def take_strangers(self) -> list[str]:
        """The addresses of those turned away since the last call."""
        strangers, self._strangers = sorted(self._strangers), set()
        return strangers

    def close(self) -> None:
        """Answer no more."""
        self.socket.close()
