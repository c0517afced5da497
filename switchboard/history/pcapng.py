"""Writes messages as a capture (pcapng) that Wireshark, tshark and sngrep open.

The edge sees UDP payloads, no packets: IP and UDP headers are made up around them, with the addresses and
ports that were seen, and with right checksums. Blocks are those of draft-ietf-opsawg-pcapng; the link type is
101, packets that begin with their IP header.
"""

import socket
import struct
from collections.abc import Iterable
from typing import BinaryIO

from switchboard.history.seen import Address, Direction, Seen

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
