"""The TCP sockets of the edge: those that listen, bound once by its parent, and how a connection is made and set up."""

import errno
import socket
from contextlib import suppress
from typing import Final

from switchboard.transports.udp_sockets import BindError, PortTaken, has_ipv6, holder, socket_address

BACKLOG: Final = 4096
KEEPALIVE_IDLE_S: Final = 300
DIALLED_IDLE_S: Final = 100
"""The same over a connection that we have made: an address translator may forget it, and then nobody reaches us."""
KEEPALIVE_EVERY_S: Final = 30
KEEPALIVE_COUNT: Final = 4
"""The kernel asks a silent peer whether it is still there; its stack answers, its SIP does not hear of it."""
UNANSWERED_S: Final = 30
"""So long a peer's stack may leave what we have sent, or asked, without an answer: then it has vanished."""
_BIND_ADDRESS_NO_PORT = 24  # IP_BIND_ADDRESS_NO_PORT (ip(7)); Python does not name it


def listen(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen at `host` (numeric; "": everywhere, one each for IPv4 and IPv6).

    PortTaken, BindError.
    """
    if host:
        return [_listen(host, port)]
    sockets = [_listen("0.0.0.0", port)]
    if has_ipv6():
        try:
            sockets.append(_listen("::", port))
        except BindError:
            sockets[0].close()
            raise
    return sockets


def set_up(sock: socket.socket) -> None:
    """Make a connection, accepted by others or about to be made, as all are to be."""
    sock.setblocking(False)
    set_options(sock)


def set_options(sock: socket.socket) -> None:
    """Those of a connection; of one that listens, all that it accepts have them (tcp(7))."""
    with suppress(OSError):  # it may have ended meanwhile, which reading will tell
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_EVERY_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_COUNT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED_S * 1000)


def defer_accept(listener: socket.socket) -> None:
    """Have a connection wait for its first octets, a second at most, before it is accepted: its peer speaks first."""
    with suppress(OSError):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)


def dial(local: str, host: str, port: int) -> socket.socket:
    """Begin a connection to a numeric address, from `local` where that is possible ("": any). OSError, ValueError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        set_up(sock)
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, DIALLED_IDLE_S)
        if local:
            with suppress(OSError, ValueError):
                sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
                sock.bind(socket_address(local, 0))
        with suppress(BlockingIOError):
            sock.connect(socket_address(host, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(socket_address(host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(port, *holder(port, "tcp"), "tcp") from error
        raise BindError(f"cannot listen at TCP port {port} of {host}: {error.strerror}") from error
    return sock
