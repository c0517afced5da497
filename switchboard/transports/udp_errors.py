"""What the network says of datagrams that it could not deliver: a UDP socket's error queue (Linux, ip(7))."""

import socket
import struct
from collections.abc import Iterable
from typing import Final

from switchboard.sip.flow import UDP, Flow
from switchboard.transports.transport import Undelivered
from switchboard.transports.udp_datagrams import scoped
from switchboard.transports.udp_sockets import IP_RECVERR, IPV6_RECVERR

QUOTED_BYTES: Final = 1280
"""More than errors quote of a datagram: ICMP's have 576 octets in all, ICMPv6's as many as the least MTU."""

_ANCILLARY_BYTES = socket.CMSG_SPACE(20) + socket.CMSG_SPACE(16 + 28)  # pktinfo; the error and its sender
_LEVELS = ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR))
_HEAD = struct.Struct("=4xBBB")  # of struct sock_extended_err: errno, origin, type, code
_BY_ICMP, _BY_ICMPV6 = 2, 3
_UNREACHABLE, _TOO_LARGE, _BAD_HEADER = 3, 4, 12  # of ICMP (RFC 792): types 3 and 12; code 4 of the former
_UNREACHABLE_V6, _BAD_HEADER_V6 = 1, 4  # types of ICMPv6 (RFC 4443)


def receive_error(sock: socket.socket) -> Undelivered | None:
    """Return the next error that waits, None if there is none. See `tell_errors`."""
    flags = socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT
    try:
        sent, ancillary, _, target = sock.recvmsg(QUOTED_BYTES, _ANCILLARY_BYTES, flags)
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
