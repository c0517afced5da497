"""Messages for other programs: captures (pcapng) for Wireshark, tshark and sngrep, HEP3 for Homer and heplify.

The edge sees UDP payloads, not packets. So a capture has synthetic IP and UDP headers, with the real addresses and
ports, and with correct checksums. Blocks are those of draft-ietf-opsawg-pcapng; the link type is 101, packets that
begin with their IP header.

A HEP3 packet is "HEP3", its whole length, and chunks: vendor (2 octets), type (2), length with this head (2), and
value; all numbers big-endian. The types are those of vendor 0.
"""

import socket
import struct
from collections.abc import Iterable
from typing import Any, BinaryIO

from switchboard.history.seen import Address, Direction, Seen, mask

_RAW_IP = 101
_NANOSECONDS = 9
_UDP = 17
_HOP_LIMIT = 64
_MOST_DATA = 65_507
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


def packet(seen: Seen, comment: str = "") -> bytes:
    """The block of one message; b"" for what never was on the wire."""
    if seen.direction is Direction.HOP:
        return b""
    datagram = _datagram(seen.source, seen.destination, seen.raw[:_MOST_DATA])
    size = len(datagram)
    high, low = seen.at_ns >> 32, seen.at_ns & 0xFFFFFFFF
    options = _options((_COMMENT, comment.encode("utf-8", "replace"))) if comment else b""
    fixed = struct.pack("<IIIII", 0, high, low, size, size)
    return _block(_PACKET, fixed + _padded(datagram) + options)


def write(stream: BinaryIO, messages: Iterable[Seen]) -> int:
    """Write a whole capture; returns how many packets it has. OSError."""
    stream.write(head())
    count = 0
    for seen in messages:
        block = packet(seen)
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


def _datagram(source: Address, destination: Address, data: bytes) -> bytes:
    if ":" in source.host or ":" in destination.host:
        return _ipv6(_packed6(source), _packed6(destination), source.port, destination.port, data)
    return _ipv4(_packed4(source), _packed4(destination), source.port, destination.port, data)


def _ipv4(source: bytes, destination: bytes, source_port: int, port: int, data: bytes) -> bytes:
    length = 20 + 8 + len(data)
    before = struct.pack("!BBHHHBB", 0x45, 0, length, 0, 0, _HOP_LIMIT, _UDP)
    checksum = _checksum(before + bytes(2) + source + destination)
    pseudo = source + destination + struct.pack("!BBH", 0, _UDP, 8 + len(data))
    return before + struct.pack("!H", checksum) + source + destination + _udp(pseudo, source_port, port, data)


def _ipv6(source: bytes, destination: bytes, source_port: int, port: int, data: bytes) -> bytes:
    length = 8 + len(data)
    pseudo = source + destination + struct.pack("!IHBB", length, 0, 0, _UDP)
    fixed = struct.pack("!IHBB", 6 << 28, length, _UDP, _HOP_LIMIT)
    return fixed + source + destination + _udp(pseudo, source_port, port, data)


def _udp(pseudo: bytes, source_port: int, port: int, data: bytes) -> bytes:
    fixed = struct.pack("!HHH", source_port, port, 8 + len(data))
    checksum = _checksum(pseudo + fixed + bytes(2) + data) or 0xFFFF  # 0 would mean that there is none
    return fixed + struct.pack("!H", checksum) + data


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
