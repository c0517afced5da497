"""SIP over UDP (RFC 3261 §18): the first transport."""

import socket
from collections.abc import Iterable
from typing import Final

from switchboard.sip import flow
from switchboard.transports import udp_datagrams, udp_sockets
from switchboard.transports.transport import Received, SocketSender, Transport, Undelivered


class Udp(Transport):
    """One socket for each family of addresses; a datagram is a message."""

    number = flow.UDP
    has_errors = udp_sockets.HAS_ERROR_QUEUE

    def bind_sockets(self, host: str, port: int) -> list[socket.socket]:
        return udp_sockets.bind_sockets(host, port)

    def inherited_sockets(self) -> list[socket.socket]:
        return udp_sockets.inherited_sockets()

    def receive(self, sock: socket.socket) -> Received | None:
        return udp_datagrams.receive(sock)

    def make_sender(
        self, sockets: Iterable[socket.socket], advertised: str = "", only_from: bytes = b""
    ) -> SocketSender:
        return udp_datagrams.Sender(sockets, advertised, only_from)

    def tell_errors(self, sock: socket.socket, wanted: bool) -> None:
        udp_sockets.tell_errors(sock, wanted)

    def receive_error(self, sock: socket.socket) -> Undelivered | None:
        return udp_datagrams.receive_error(sock)


UDP: Final = Udp()
