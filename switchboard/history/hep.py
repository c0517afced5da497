"""HEP3, the encapsulation in which Homer and heplify take copies of SIP messages.

A packet is "HEP3", its whole length, and chunks: vendor (2 octets), type (2), length with this head (2), and
value; all numbers big-endian. The types are those of vendor 0.
"""

import socket
import struct
from typing import Any

from switchboard.history.seen import Address, Direction, Seen, mask

UDP = 17
SIP = 1
AGENT = 2026
"""Our capture agent's number at the collector."""
_LONGEST = 65_507
_HEAD = 6


class TooLongError(Exception):
    """The message does not fit into a datagram together with its envelope."""


def encode(seen: Seen, call_id: str) -> bytes:
    """Return the packet for one message between two IP addresses. TooLongError; ValueError for no address."""
    is_ipv6 = ":" in seen.source.host
    family = socket.AF_INET6 if is_ipv6 else socket.AF_INET
    seconds, rest_ns = divmod(seen.at_ns, 1_000_000_000)
    chunks = (
        _number(0x0001, "B", family),
        _number(0x0002, "B", UDP),
        _chunk(0x0005 if is_ipv6 else 0x0003, _packed(family, seen.source)),
        _chunk(0x0006 if is_ipv6 else 0x0004, _packed(family, seen.destination)),
        _number(0x0007, "H", seen.source.port),
        _number(0x0008, "H", seen.destination.port),
        _number(0x0009, "I", seconds),
        _number(0x000A, "I", rest_ns // 1000),
        _number(0x000B, "B", SIP),
        _number(0x000C, "I", AGENT),
        _chunk(0x0011, call_id.encode("utf-8", "surrogateescape")),
        _chunk(0x000F, seen.raw),
    )
    length = _HEAD + sum(map(len, chunks))
    if length > _LONGEST:
        raise TooLongError(length)
    return b"".join((b"HEP3", struct.pack("!H", length), *chunks))


def _number(kind: int, form: str, value: int) -> bytes:
    return _chunk(kind, struct.pack(f"!{form}", value))


def _chunk(kind: int, value: bytes) -> bytes:
    if len(value) > _LONGEST:
        raise TooLongError(len(value))
    return struct.pack("!HHH", 0, kind, _HEAD + len(value)) + value


def _packed(family: int, address: Address) -> bytes:
    try:
        return socket.inet_pton(family, address.host.partition("%")[0])
    except OSError as error:
        raise ValueError(f"{address} is no IP address of the family") from error


_BUFFER_BYTES = 1 << 20


class HepSender:
    """A UDP socket to `collector`, `host:port`, whose name is looked up once. OSError if it cannot be."""

    def __init__(self, collector: str) -> None:
        host, _, port = collector.rpartition(":")
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)
        family, kind, _, _, address = found[0]
        self._address: Any = address
        self._socket = socket.socket(family, kind)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        self._sent = self._dropped = 0

    def send(self, seen: Seen, call_id: str) -> None:
        """Send one message, its secrets masked; what passes between workers is not for the collector."""
        if seen.direction is Direction.HOP:
            return
        try:
            packet = encode(seen._replace(raw=mask(seen.raw)), call_id)
            self._socket.sendto(packet, self._address)
            self._sent += 1
        except (OSError, TooLongError, ValueError):  # ValueError: an address of ours that nobody told
            self._dropped += 1

    def stats(self) -> dict[str, float]:
        """Packets that left, and those that did not."""
        return {"hep.sent": self._sent, "hep.dropped": self._dropped}

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
