"""The UDP sockets of the edge: bound once by its parent, inherited by both of its workers.

The sockets stay blocking: the workers share the open file description, so its flags are nobody's to change. What
arrives while nobody reads waits in the kernel's buffer of the first one. The kernel counts each datagram with its own
overhead: 1,280 bytes up to some 600 bytes of SIP, 2,304 above (Linux 6.18), and doubles what it is asked for to make
up for that. The six datagrams that a call brings (an INVITE and a 200 with SDP, a 180, an ACK, a BYE and its 200) take
9,728 bytes, 1,621 each: 4 MiB, doubled, hold a second of 860 calls.
"""

import errno
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psutil

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


SOCKETS = "SWITCHBOARD_SOCKETS"  # environment of a worker: inherited file descriptors, comma-separated

# Python 3.11 does not name them.
IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8)
IP_RECVERR = getattr(socket, "IP_RECVERR", 11)
IPV6_RECVERR = getattr(socket, "IPV6_RECVERR", 25)

HAS_ERROR_QUEUE = sys.platform == "linux"
PENDING = frozenset(
    (
        errno.ECONNREFUSED,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.EACCES,
        errno.EPROTO,
        errno.ENOPROTOOPT,
        errno.EMSGSIZE,
        errno.EOPNOTSUPP,
        errno.EHOSTDOWN,
        getattr(errno, "ENONET", errno.EHOSTUNREACH),
    )
)
"""What a call at a socket that tells errors may fail with for a datagram that was sent earlier."""
TRIES = 4
"""Calls before such a failure is taken for the call's own."""

_PORT_0_TRIES = 16


class BindError(Exception):
    """A socket cannot be bound; the text says where and why, for people."""


class PortTaken(BindError):
    """Another socket holds the port of `protocol`; `pid` and `command` of its process as far as we may know them."""

    def __init__(self, port: int, pid: int | None = None, command: str = "", protocol: str = "udp") -> None:
        holder = f"process {pid} ({command})" if pid is not None else "another process"
        super().__init__(f"{protocol.upper()} port {port} is taken by {holder}")
        self.port = port
        self.protocol = protocol
        self.pid = pid
        self.command = command


def bind_sockets(host: str, port: int) -> list[socket.socket]:
    """Return sockets bound to `host` (numeric; "": all addresses, one socket each for IPv4 and IPv6).

    Port 0 is any one that is free in both families. PortTaken, BindError.
    """
    if host:
        return [_bind(_family(host), host, port)]
    for _ in range(_PORT_0_TRIES - 1 if port == 0 else 0):
        with suppress(PortTaken):
            return _bind_wildcards(port)
    return _bind_wildcards(port)


def socket_address(host: str, port: int) -> Any:
    """Return the socket module's form of a numeric host, also of `fe80::1%eth0`. OSError, ValueError."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)[0][4]


def pass_sockets(sockets: Sequence[socket.socket]) -> str:
    """Return the value of SWITCHBOARD_SOCKETS for a worker that inherits `sockets`."""
    return ",".join(str(sock.fileno()) for sock in sockets)


def inherited_sockets() -> list[socket.socket]:
    """Return the sockets that this worker's parent holds, itself or the init system having bound them."""
    sockets = [socket.socket(fileno=int(fd)) for fd in os.environ.get(SOCKETS, "").split(",") if fd]
    for sock in sockets:
        _ask_for_target(sock)
    return sockets


def tell_errors(sock: socket.socket, wanted: bool) -> None:
    """Whether errors of the network (ICMP) wait at `sock` for `receive_error`; those that wait go with it.

    For each, the next call at the socket fails once with one of PENDING, whoever makes it. Who only waits for
    datagrams does not expect that (systemd gives the socket up): who reads errors forgoes them at its end.
    """
    if not HAS_ERROR_QUEUE:
        return
    sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, wanted)  # at an IPv6 socket: of IPv4-mapped addresses
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, wanted)
    if not wanted:
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _bind_wildcards(port: int) -> list[socket.socket]:
    """One socket for each family that the machine has."""
    ipv4 = _bind(socket.AF_INET, "0.0.0.0", port)
    if not has_ipv6():
        return [ipv4]
    try:
        return [ipv4, _bind(socket.AF_INET6, "::", ipv4.getsockname()[1])]
    except BindError:
        ipv4.close()
        raise


def has_ipv6() -> bool:
    """Whether the kernel lets us bind an IPv6 address at all: it may be built or told not to."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


def _bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        _ask_for_target(sock)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(socket_address(host, port))
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(port, *holder(port, "udp")) from error
        raise BindError(f"cannot bind UDP port {port} of {host}: {error.strerror}") from error
    return sock


def _ask_for_target(sock: socket.socket) -> None:
    """With each datagram comes the address that it came to."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)


def holder(port: int, protocol: str) -> tuple[int | None, str]:
    """The process that has bound the port of `udp` or `tcp`: (pid, command line), or (None, "") if we may not see it.

    Of several that share the socket, the one that handed it to the others.
    """
    import psutil  # 20 ms, for a complaint only

    pids = {process.pid for process in psutil.process_iter() if _has_bound(process, port, protocol)}
    try:
        for process in map(psutil.Process, sorted(pids)):
            if pids.isdisjoint(parent.pid for parent in process.parents()):
                return process.pid, " ".join(process.cmdline())
    except psutil.Error:
        pass
    return None, ""


def _has_bound(process: "psutil.Process", port: int, protocol: str) -> bool:
    import psutil

    try:
        connections = process.net_connections(kind=protocol)
    except psutil.Error:
        return False
    free_of_peers = (psutil.CONN_NONE, psutil.CONN_LISTEN)
    return any(
        each.laddr and each.laddr.port == port and each.status in free_of_peers for each in connections
    )
