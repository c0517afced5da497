"""The ZeroMQ context of a process: what leaves the host is encrypted, and what comes in is known."""

from collections.abc import Sequence

import zmq

from switchboard.bus.guard import Guard
from switchboard.bus.keys import Keys

HEARTBEAT_MS = 1_000
SILENCE_MS = 10_000
"""A host that is silent for so long is gone; a link that is cut for less loses nothing."""
CONNECT_MS = 1_000
_SECURED = "tcp://"


class NotListeningError(Exception):
    """An endpoint of ours cannot be bound; the text tells people why and what to do."""

    def __init__(self, endpoint: str, reason: str) -> None:
        super().__init__(
            f"{endpoint} cannot be listened on: {reason}. The address must be one of this machine "
            "(hosts.NAME.address) and its ports free (SWITCHBOARD_BUS_PORT chooses others, on all hosts)"
        )
        self.endpoint = endpoint


class BusContext(zmq.Context[zmq.Socket[bytes]]):
    """Makes the sockets of one process. `keys`: of this host, needed for TCP, which is always CURVE.

    `guard` is there as soon as a socket listens on TCP; whoever polls must let it `serve`.
    """

    keys: Keys | None = None
    guard: Guard | None = None

    def connect(self, socket: zmq.Socket[bytes], endpoint: str) -> None:
        """Connect a socket whose options are set."""
        if endpoint.startswith(_SECURED):
            self._secure(socket, endpoint)
            socket.set(zmq.CONNECT_TIMEOUT, CONNECT_MS)
        socket.connect(endpoint)

    def listen(self, kind: int, endpoints: Sequence[str], **options: int) -> list[zmq.Socket[bytes]]:
        """Bind one socket for each endpoint; `options` are those of zmq.SocketOption, in lower case."""
        return [self._listen(kind, endpoint, options) for endpoint in endpoints]

    def _listen(self, kind: int, endpoint: str, options: dict[str, int]) -> zmq.Socket[bytes]:
        socket = self.socket(kind)
        for name, value in options.items():
            socket.set(zmq.SocketOption[name.upper()], value)
        if endpoint.startswith(_SECURED):
            self._admit(socket, endpoint)
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            socket.close()
            raise NotListeningError(endpoint, error.strerror) from error
        return socket

    def _secure(self, socket: zmq.Socket[bytes], endpoint: str) -> None:
        assert self.keys is not None, "TCP needs keys"
        socket.set(zmq.CURVE_SERVERKEY, self.keys.server_key(endpoint))
        socket.set(zmq.CURVE_PUBLICKEY, self.keys.public)
        socket.set(zmq.CURVE_SECRETKEY, self.keys.secret)
        _prepare(socket, endpoint)

    def _admit(self, socket: zmq.Socket[bytes], endpoint: str) -> None:
        """Only who has the secret key of one of our hosts."""
        assert self.keys is not None, "TCP needs keys"
        if self.guard is None:
            self.guard = Guard(self, self.keys.publics.values())
        socket.set(zmq.ZAP_DOMAIN, b"switchboard")
        socket.set(zmq.CURVE_SERVER, 1)
        socket.set(zmq.CURVE_SECRETKEY, self.keys.secret)
        _prepare(socket, endpoint)


def _prepare(socket: zmq.Socket[bytes], endpoint: str) -> None:
    socket.set(zmq.IPV6, int("[" in endpoint))
    socket.set(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.set(zmq.HEARTBEAT_TIMEOUT, SILENCE_MS)
