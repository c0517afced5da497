"""A fake phone on TCP: one connection to the switchboard, over which all comes and goes (RFC 3261 §18.3)."""

import re
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from system.net import Endpoint, Net
from system.sipmsg import Address, host_port
from system.user_agent import UserAgent

_LENGTH = re.compile(rb"\r\n(?:Content-Length|l)[ \t]*:[ \t]*([0-9]+)", re.IGNORECASE)
CONNECT_S = 5.0


class StreamEndpoint(Endpoint):
    """One connection to `proxy`; `receive` is called with every message and the other end's address.

    `pongs` counts line ends between messages; `is_closed`: whether the switchboard has closed it.
    """

    is_reliable = True

    def __init__(
        self, net: Net, name: str, host: str, proxy: Address, receive: Callable[[bytes, Address], None]
    ) -> None:
        self.pongs = 0
        self.is_closed = False
        self._proxy = proxy
        self._rest = b""
        super().__init__(net, name, host, receive)

    def _open(self, host: str) -> socket.socket:
        return socket.create_connection(self._proxy, CONNECT_S, (host, 0))

    def send(self, raw: bytes, destination: Address) -> None:  # noqa: ARG002
        """Send it over the connection, wherever it is meant to go."""
        if self._socket.fileno() < 0 or self.is_closed:
            return
        self.net.record(f"{self.name} {host_port(self.address)} => {host_port(self._proxy)}", raw)
        self._socket.setblocking(True)
        with suppress(ConnectionError):  # Whoever reads will find its end.
            self._socket.sendall(self._encode(raw))
        self._socket.setblocking(False)

    def read(self) -> None:
        """Read what is there, and hand whole messages on."""
        try:
            came = self._socket.recv(1 << 18)
        except ConnectionResetError:
            came = b""
        if not came:
            self.is_closed = True
            self.net.remove(self._socket)
            return
        self._rest += self._decode(came)
        while message := self._next():
            self.net.record(f"{self.name} {host_port(self.address)} <= {host_port(self._proxy)}", message)
            self._receive(message, self._proxy)

    def close(self) -> None:
        """Hear nothing any more."""
        if not self.is_closed:
            self.net.remove(self._socket)
        self._socket.close()

    def reset(self) -> None:
        """End the connection by a RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def _encode(self, raw: bytes) -> bytes:
        return raw

    def _decode(self, came: bytes) -> bytes:
        return came

    def _next(self) -> bytes:
        while self._rest.startswith(b"\r\n"):
            self._rest = self._rest[2:]
            self.pongs += 1
        head, found, _ = self._rest.partition(b"\r\n\r\n")
        if not found:
            return b""
        length = _LENGTH.search(head)
        assert length, f"no Content-Length: {head!r}"
        size = len(head) + 4 + int(length[1])
        if len(self._rest) < size:
            return b""
        message, self._rest = self._rest[:size], self._rest[size:]
        return message


class StreamAgent(UserAgent):
    """A user agent on TCP."""

    transport = "TCP"

    def _open(self, host: str) -> StreamEndpoint:
        self.connection = StreamEndpoint(self.net, self.user, host, self.proxy, self._receive)
        return self.connection

    @property
    def contact(self) -> str:
        """The URI at which it says that it is reached."""
        return f"sip:{self.user}@{host_port(self.address)};transport=tcp"

    def come_back(self) -> None:
        """Register over another connection."""
        self._endpoint = self._open(self.address[0])
        self.register().expect(200)


def registered_on_stream(net: Net, name: str) -> StreamAgent:
    """A phone on TCP whose contact the switchboard knows."""
    phone = StreamAgent(net, name)
    phone.register().expect(200)
    return phone


class AcceptedEndpoint(StreamEndpoint):
    """A connection that the switchboard has made to a phone."""

    def __init__(
        self, net: Net, name: str, accepted: socket.socket, receive: Callable[[bytes, Address], None]
    ) -> None:
        self._accepted = accepted
        super().__init__(net, name, accepted.getsockname()[0], accepted.getpeername()[:2], receive)

    def _open(self, host: str) -> socket.socket:  # noqa: ARG002
        return self._accepted


class Listener(Endpoint):
    """Takes connections at `address`; `accepted` is called with each."""

    def __init__(
        self, net: Net, name: str, address: Address, accepted: Callable[[socket.socket], object]
    ) -> None:
        self._at, self._accepted = address, accepted
        super().__init__(net, name, address[0], lambda _raw, _source: None)

    def _open(self, host: str) -> socket.socket:  # noqa: ARG002
        return socket.create_server(self._at)

    def read(self) -> None:
        """Take the next connection."""
        self._accepted(self._socket.accept()[0])


class ListeningAgent(UserAgent):
    """A user agent on UDP that listens on TCP, too, at the same port."""

    def __init__(self, net: Net, name: str, host: str) -> None:
        super().__init__(net, name, host)
        self.connections: list[AcceptedEndpoint] = []
        """Those that came."""
        self.listener = Listener(net, self.user, self.address, self._accept_connection)

    def stop_listening(self) -> None:
        """End what is there of TCP."""
        self.listener.close()
        for each in self.connections:
            each.close()

    def _accept_connection(self, accepted: socket.socket) -> None:
        connection = AcceptedEndpoint(
            self.net, self.user, accepted, lambda raw, source: self._receive_over(connection, raw, source)
        )
        self.connections.append(connection)

    def _receive_over(self, connection: AcceptedEndpoint, raw: bytes, source: Address) -> None:
        """What comes over a connection is answered over it."""
        own, self._endpoint = self._endpoint, connection
        try:
            self._receive(raw, source)
        finally:
            self._endpoint = own
