"""Messages for other programs: captures (pcapng) for Wireshark, tshark and sngrep, HEP3 for Homer and heplify.

The edge sees messages, not packets. So a capture has synthetic headers, with the real addresses and with correct
checksums: IP and UDP, or IP and TCP for what travelled over a connection, as if it had been in the clear. The sequence
numbers of a connection follow each other. Blocks are those of draft-ietf-opsawg-pcapng; the link type is 101, packets
that begin with their IP header.

A HEP3 packet is "HEP3", its whole length, and chunks: vendor (2 octets), type (2), length with this head (2), and
value; all numbers big-endian. The types are those of vendor 0.
"""

import socket
import struct
from collections.abc import Iterable
from typing import Any, BinaryIO

from switchboard.bounded import Cache
from switchboard.history.masking import mask
from switchboard.history.seen import Address, Direction, Seen, transport_of

_RAW_IP = 101
_NANOSECONDS = 9
_UDP, _TCP = 17, 6
_HOP_LIMIT = 64
_MOST_DATA = 65_507
_MOST_OF_SEGMENT = 65_495
_PUSH_ACK, _WINDOW, _URGENT = 0x18, 0xFFFF, bytes(2)
_CONNECTIONS = 10_000
"""Whose sequence numbers are remembered, each way by itself."""
_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_COMMENT, _RESOLUTION, _APPLICATION, _NAME = 1, 9, 4, 2


def head() -> bytes:
    """What a capture begins with."""
    magic, version, unknown_length = 0x1A2B3C4D, (1, 0), -1
    section = struct.pack("<IHHq", magic, *version, unknown_length) + _options(
        (_APPLICATION, b"switchboard"),
    )
    interface = struct.pack("<HHI", _RAW_IP, 0, 0) + _options(
        (_NAME, b"edge"), (_RESOLUTION, bytes([_NANOSECONDS]))
    )
    return _block(_SECTION, section) + _block(_INTERFACE, interface)


class Packets:
    """Makes the packets of one capture."""

    def __init__(self) -> None:
        self._sequences: Cache[tuple[Address, Address], int] = Cache(_CONNECTIONS)

    def block(self, seen: Seen, comment: str = "") -> bytes:
        """The block of one message; b"" for what never was on the wire."""
        if seen.direction is Direction.HOP:
            return b""
        is_datagram = transport_of(seen.raw) == "UDP"
        data = seen.raw[: _MOST_DATA if is_datagram else _MOST_OF_SEGMENT]
        head = b"" if is_datagram else self._tcp(seen, len(data))
        whole = _packet(seen.source, seen.destination, head, data)
        size = len(whole)
        high, low = seen.at_ns >> 32, seen.at_ns & 0xFFFFFFFF
        options = _options((_COMMENT, comment.encode("utf-8", "replace"))) if comment else b""
        fixed = struct.pack("<IIIII", 0, high, low, size, size)
        return _block(_PACKET, fixed + _padded(whole) + options)

    def _tcp(self, seen: Seen, size: int) -> bytes:
        """The TCP header, less its checksum and what follows that."""
        there, back = (seen.source, seen.destination), (seen.destination, seen.source)
        sequence, acknowledged = self._sequences.get(there, 1), self._sequences.get(back, 1)
        self._sequences.keep(there, (sequence + size) & 0xFFFFFFFF)
        ports = seen.source.port, seen.destination.port
        return struct.pack("!HHIIBBH", *ports, sequence, acknowledged, 5 << 4, _PUSH_ACK, _WINDOW)


def packet(seen: Seen, comment: str = "") -> bytes:
    """The block of a message by itself; b"" for what never was on the wire."""
    return Packets().block(seen, comment)


def write(stream: BinaryIO, messages: Iterable[Seen]) -> int:
    """Write a whole capture; returns how many packets it has. OSError."""
    stream.write(head())
    packets = Packets()
    count = 0
    for seen in messages:
        block = packets.block(seen)
        stream.write(block)
        count += bool(block)
    return count


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def _options(*options: tuple[int, bytes]) -> bytes:
    told = b"".join(struct.pack("<HH", code, len(value)) + _padded(value) for code, value in options)
    return told + bytes(4)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _packet(source: Address, destination: Address, tcp: bytes, data: bytes) -> bytes:
    """`tcp`: the header of a segment up to its checksum; b"" for a datagram."""
    protocol, rest = (_TCP, _URGENT) if tcp else (_UDP, b"")
    fixed = tcp or struct.pack("!HHH", source.port, destination.port, 8 + len(data))
    length = len(fixed) + 2 + len(rest) + len(data)
    ip, pseudo = _ip_heads(source, destination, protocol, length)
    checksum = _checksum(pseudo + fixed + bytes(2) + rest + data) or 0xFFFF  # 0 would mean that there is none
    return ip + fixed + struct.pack("!H", checksum) + rest + data


def _ip_heads(source: Address, destination: Address, protocol: int, length: int) -> tuple[bytes, bytes]:
    """The IP header of so many octets, and what the checksum counts of it."""
    if ":" in source.host or ":" in destination.host:
        ends = _packed6(source) + _packed6(destination)
        fixed = struct.pack("!IHBB", 6 << 28, length, protocol, _HOP_LIMIT)
        return fixed + ends, ends + struct.pack("!IHBB", length, 0, 0, protocol)
    ends = _packed4(source) + _packed4(destination)
    before = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, 0, 0, _HOP_LIMIT, protocol)
    checksum = struct.pack("!H", _checksum(before + bytes(2) + ends))
    return before + checksum + ends, ends + struct.pack("!BBH", 0, protocol, length)


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


def _packed4(address: Address) -> bytes:
    return socket.inet_pton(socket.AF_INET, address.host)


def _packed6(address: Address) -> bytes:
    host = address.host.partition("%")[0]
    return socket.inet_pton(socket.AF_INET6, host if ":" in host else f"::ffff:{host}")


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
