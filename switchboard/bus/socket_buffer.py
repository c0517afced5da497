"""The kernel's buffers of the edge's UDP sockets: what arrives while nobody reads waits in the first one.

The kernel counts each datagram with its own overhead: 1,280 bytes up to some 600 bytes of SIP, 2,304 above
(Linux 6.18), and doubles what it is asked for to make up for that. The six datagrams that a call brings (an
INVITE and a 200 with SDP, a 180, an ACK, a BYE and its 200) take 9,728 bytes, 1,621 each: 4 MiB, doubled,
hold a second of 860 calls.
"""

import socket
import sys
from contextlib import suppress

SEND_BYTES = 4 << 20
MESSAGE_BYTES = 1621
"""What a message takes on the average."""
_FACTOR = 2 if sys.platform == "linux" else 1
# socket(7); Python does not name them.
_SO_SNDBUFFORCE = 32
_SO_RCVBUFFORCE = 33


def enlarge_buffers(sock: socket.socket, receive_bytes: int) -> None:
    """Make both buffers as large as wanted and granted, beyond the limit if we may; never smaller."""
    _enlarge(sock, socket.SO_SNDBUF, _SO_SNDBUFFORCE, SEND_BYTES)
    _enlarge(sock, socket.SO_RCVBUF, _SO_RCVBUFFORCE, receive_bytes)


def receive_buffer(sock: socket.socket) -> int:
    """Return the bytes that the kernel granted for arriving datagrams, its own overhead included."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def cut(sock: socket.socket, receive_bytes: int) -> str:
    """What people are to know if the system has granted less than was wanted; "" if all is well."""
    granted, wanted = receive_buffer(sock), receive_bytes * _FACTOR
    if granted >= wanted:
        return ""
    return (
        f"The system grants {granted} bytes for arriving datagrams instead of {wanted}: "
        f"some {granted // MESSAGE_BYTES} messages may wait instead of {wanted // MESSAGE_BYTES}, "
        f"what comes beyond that is lost. Raise the limit: sysctl -w net.core.rmem_max={receive_bytes}, "
        "or set receive_buffer_bytes lower."
    )


def _enlarge(sock: socket.socket, option: int, force: int, wanted: int) -> None:
    def is_small() -> bool:
        return sock.getsockopt(socket.SOL_SOCKET, option) < wanted * _FACTOR

    if is_small():
        sock.setsockopt(socket.SOL_SOCKET, option, wanted)
    if is_small() and sys.platform == "linux":
        with suppress(PermissionError):
            sock.setsockopt(socket.SOL_SOCKET, force, wanted)
