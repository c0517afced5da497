"""Datagrams in and out, each with the address of ours that it came to or is to leave from (RFC 3542).

The one place where the edge meets OSError: what cannot be sent is told by the result, never raised. What the network
says of datagrams that it could not deliver waits in a UDP socket's error queue (Linux, ip(7)).
"""

import socket
import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from switchboard.sip.flow import UDP, Flow
from switchboard.transports.transport import Phrasing, Received, Undelivered
from switchboard.transports.udp_sockets import (
    IP_PKTINFO,
    IP_RECVERR,
    IPV6_RECVERR,
    PENDING,
    TRIES,
    socket_address,
)

try:
    from switchboard._native.wire import RunSender
except ImportError:
    RunSender = None  # type: ignore[assignment, misc]

MAX_BYTES = 65535
_ANCILLARY_BYTES = socket.CMSG_SPACE(20)  # struct in6_pktinfo; in_pktinfo is shorter
_WILDCARDS = ("0.0.0.0", "::")
_NOWHERE = bytes(4)
_CACHE = 4096

Ancillary = list[tuple[int, int, bytes]]


def receive(sock: socket.socket) -> Received | None:
    """Return the next datagram that waits, None if there is none. Hosts may be such as `fe80::1%eth0`.

    Our address is "" if the kernel does not know it: the datagram came before its socket was asked for it.
    """
    for _ in range(TRIES):
        try:
            data, ancillary, _, source = sock.recvmsg(MAX_BYTES, _ANCILLARY_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno not in PENDING:
                raise
        else:
            return _datagram(data, ancillary[0][2], source)
    return None


def _datagram(data: bytes, pktinfo: bytes, source: Any) -> Received:
    if len(source) == 2:
        return data, Flow(UDP, _local_ipv4(pktinfo), source[0], source[1])
    return data, Flow(UDP, _local_ipv6(pktinfo), scoped(source[0], source[3]), source[1])


class Sender:
    """Sends through the socket of the right family, one of each at most. `batches` sends runs, if it was compiled.

    `advertised` (sip/advertised.py): as our address, it leaves the choice of the source to the kernel. `only_from`: the
    addresses, as in packed flows, from which runs leave here; b"": all of ours.
    """

    def __init__(
        self, sockets: Iterable[socket.socket], advertised: str = "", only_from: bytes = b""
    ) -> None:
        self._advertised, self._only_from = advertised, only_from
        self._sockets = {sock.family: sock for sock in sockets}
        self._wildcard = {
            family for family, sock in self._sockets.items() if sock.getsockname()[0] in _WILDCARDS
        }
        self.batches = self._batch_sender()
        self._retried = 0

    @property
    def retried(self) -> int:
        """Datagrams that left at a further try: a call had failed, perhaps for another datagram's sake."""
        return self._retried + (self.batches.retried if self.batches else 0)

    def send(self, data: bytes, flow: Flow) -> bool:
        """Send to a numeric host, from our address ("": the kernel chooses). False: it has not left."""
        host, port, local = flow.host, flow.port, flow.local
        family = _family(host)
        sock = self._sockets.get(family) if family else None
        if sock is None or not 0 < port < 65536:
            return False
        try:
            address = (host, port) if "%" not in host else socket_address(host, port)
        except (OSError, ValueError):  # ValueError: a scope that is no text for the resolver
            return False
        is_chosen = bool(local) and local != self._advertised and family in self._wildcard
        source = _leave_from(local, sock.family) if is_chosen else []
        return self._send(sock, data, source, address)

    def send_items(self, frame: bytes, start: int) -> tuple[int, int] | None:
        """Send the items of sip.send of the packed list at `start` of `frame`.

        Returns how many have left and how many have not. None, with nothing sent: this has to be unpacked and
        sent one by one, since there is no compiled twin, or an item is not plain.
        """
        return self.batches.send_items(frame, start) if self.batches else None

    def send_run(
        self, count: int, items: bytes, phrasing: Phrasing, by_class: list[int]
    ) -> tuple[int, int] | None:
        """Send `count` packed items of sip.send and sip.translate, with phrases; None as `send_items` says."""
        return self.batches.send_run(count, items, phrasing, by_class) if self.batches else None

    def _send(self, sock: socket.socket, data: bytes, source: Ancillary, address: Any) -> bool:
        for tries in range(TRIES):
            try:
                sock.sendmsg((data,), source, socket.MSG_DONTWAIT, address)
            except OSError as error:
                if error.errno not in PENDING:
                    break
            else:
                self._retried += tries > 0
                return True
        return False

    def _batch_sender(self) -> "RunSender | None":
        if RunSender is None:
            return None
        ipv4, ipv6 = socket.AF_INET, socket.AF_INET6
        advertised = _packed(ipv4, self._advertised)
        is_wildcard = [family in self._wildcard for family in (ipv4, ipv6)]
        fds = self._fd(ipv4), self._fd(ipv6)
        return RunSender(fds[0], is_wildcard[0], fds[1], is_wildcard[1], advertised, self._only_from)

    def _fd(self, family: socket.AddressFamily) -> int:
        sock = self._sockets.get(family)
        return -1 if sock is None else sock.fileno()


@lru_cache(_CACHE)
def _family(host: str) -> socket.AddressFamily | None:
    """The family of a numeric host; None for any other text."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return family if _packed(family, host) else None


def _packed(family: int, host: str) -> bytes:
    """The address in network order, b"" if there is none in the text."""
    try:
        return socket.inet_pton(family, host.partition("%")[0])
    except (OSError, ValueError):
        return b""


@lru_cache(_CACHE)
def _leave_from(local: str, family: socket.AddressFamily) -> Ancillary:
    """The ancillary data that names the source address; none if it is of another family."""
    packed = _packed(family, local)
    if not packed:
        return []
    if family == socket.AF_INET:
        return [(socket.IPPROTO_IP, IP_PKTINFO, struct.pack("=i4s4x", 0, packed))]
    return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, struct.pack("=16si", packed, 0))]


def _local_ipv4(pktinfo: bytes) -> str:
    packed = pktinfo[4:8]
    return socket.inet_ntoa(packed) if packed != _NOWHERE else ""


def _local_ipv6(pktinfo: bytes) -> str:
    packed, interface = struct.unpack("=16si", pktinfo)
    host = socket.inet_ntop(socket.AF_INET6, packed)
    return scoped(host, interface if host.startswith("fe80:") else 0)


def scoped(host: str, interface: int) -> str:
    """The host with the name of its interface if it has a meaning only there (0: everywhere)."""
    if not interface:
        return host
    try:
        return f"{host}%{socket.if_indextoname(interface)}"
    except OSError:
        return f"{host}%{interface}"


QUOTED_BYTES: Final = 1280
"""More than errors quote of a datagram: ICMP's have 576 octets in all, ICMPv6's as many as the least MTU."""

_ERROR_BYTES = socket.CMSG_SPACE(20) + socket.CMSG_SPACE(16 + 28)  # pktinfo; the error and its sender
_LEVELS = ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR))
_HEAD = struct.Struct("=4xBBB")  # of struct sock_extended_err: errno, origin, type, code
_BY_ICMP, _BY_ICMPV6 = 2, 3
_UNREACHABLE, _TOO_LARGE, _BAD_HEADER = 3, 4, 12  # of ICMP (RFC 792): types 3 and 12; code 4 of the former
_UNREACHABLE_V6, _BAD_HEADER_V6 = 1, 4  # types of ICMPv6 (RFC 4443)


def receive_error(sock: socket.socket) -> Undelivered | None:
    """Return the next error that waits, None if there is none. See `tell_errors`."""
    flags = socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT
    try:
        sent, ancillary, _, target = sock.recvmsg(QUOTED_BYTES, _ERROR_BYTES, flags)
    except BlockingIOError:
        return None
    if not target:
        return Undelivered(Flow(UDP, "", "", 0), sent, is_lost=False)
    host = target[0] if len(target) == 2 else scoped(target[0], target[3])
    return Undelivered(Flow(UDP, "", host, target[1]), sent, _is_lost(ancillary))


def _is_lost(ancillary: Iterable[tuple[int, int, bytes]]) -> bool:
    for level, kind, data in ancillary:
        if (level, kind) in _LEVELS:
            return _says_lost(*_HEAD.unpack_from(data))
    return False


def _says_lost(origin: int, icmp_type: int, code: int) -> bool:
    if origin == _BY_ICMP:
        return icmp_type == _BAD_HEADER or (icmp_type == _UNREACHABLE and code != _TOO_LARGE)
    return origin == _BY_ICMPV6 and icmp_type in (_UNREACHABLE_V6, _BAD_HEADER_V6)
