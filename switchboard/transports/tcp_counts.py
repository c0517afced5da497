"""How many octets of a TCP connection the kernel has accepted from us, and given to us (tcp(7), TCP_INFO)."""

import fcntl
import socket
import struct
import termios
from typing import Final, NamedTuple

_TCP_INFO_OCTETS: Final = 136
_ACKED_RECEIVED: Final = struct.Struct("=120xQQ")
_INT: Final = struct.Struct("=i")


class Counts(NamedTuple):
    """`accepted` grows by each octet that the kernel accepts for sending. `consumed`: octets that it has given to us;
    one more, once the peer has ended.
    """

    accepted: int
    consumed: int


NOTHING: Final = Counts(0, 0)


def counts_of(sock: socket.socket) -> Counts:
    """Return those of a connection. OSError."""
    while True:
        acked, received = before = _acked_received(sock)
        unsent, unread = _waiting(sock, termios.TIOCOUTQ), _waiting(sock, termios.FIONREAD)
        if before == _acked_received(sock):
            return Counts(acked + unsent, received - unread)


def _acked_received(sock: socket.socket) -> tuple[int, int]:
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_OCTETS)
    acked, received = _ACKED_RECEIVED.unpack(info)
    return acked, received


def _waiting(sock: socket.socket, which: int) -> int:
    (octets,) = _INT.unpack(fcntl.ioctl(sock, which, bytes(_INT.size)))
    return int(octets)
