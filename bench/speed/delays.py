"""How long messages stayed in a proxy, from packets as the kernel stamped them."""

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_NANOSECOND_MAGIC = 0xA1B23C4D
_FILE_HEADER, _PACKET_HEADER, _ETHERNET = 24, struct.Struct("<IIII"), 14
_PORTS = struct.Struct("!HH")
_UDP = 8
_CALL_ID = re.compile(rb"\r\nCall-ID: *([^\r]*)")


@dataclass(frozen=True, slots=True)
class Packet:
    """A UDP datagram. `at_ns`: the kernel's clock."""

    at_ns: int
    source_port: int
    target_port: int
    payload: bytes


def parse_pcap(data: bytes) -> Iterator[Packet]:
    """The packets of a capture of IPv4 on Ethernet with nanoseconds; ValueError if it is something else.

    A last one that is not complete is left out.
    """
    if struct.unpack_from("<I", data) != (_NANOSECOND_MAGIC,):
        raise ValueError("not a little-endian capture with nanoseconds")
    offset = _FILE_HEADER
    while offset + _PACKET_HEADER.size <= len(data):
        seconds, nanoseconds, length, _ = _PACKET_HEADER.unpack_from(data, offset)
        frame = data[offset + _PACKET_HEADER.size :][:length]
        offset += _PACKET_HEADER.size + length
        if len(frame) == length:
            yield _packet(seconds * 1_000_000_000 + nanoseconds, frame)


def stays_ms(packets: Iterable[Packet], port: int) -> list[float]:
    """For each call how long its INVITE and its 180 took together through the proxy at `port`, in ms.

    Repetitions do not count, nor do calls of which a packet was not caught.
    """
    seen: dict[bytes, dict[tuple[bytes, bool], int]] = {}
    for packet in packets:
        if call_id := _CALL_ID.search(packet.payload):
            key = packet.payload[:11], packet.target_port == port
            seen.setdefault(call_id[1], {}).setdefault(key, packet.at_ns)
    stays = (_stay_ms(list(times.items())) for times in seen.values())
    return [stay for stay in stays if stay is not None]


def _packet(at_ns: int, frame: bytes) -> Packet:
    udp = _ETHERNET + 4 * (frame[_ETHERNET] & 0x0F)
    source_port, target_port = _PORTS.unpack_from(frame, udp)
    return Packet(at_ns, source_port, target_port, frame[udp + _UDP :])


def _stay_ms(times: list[tuple[tuple[bytes, bool], int]]) -> float | None:
    """Sum of what left minus sum of what came; None unless two of each."""
    came = [at for (_, inwards), at in times if inwards]
    left = [at for (_, inwards), at in times if not inwards]
    return (sum(left) - sum(came)) / 1e6 if len(came) == len(left) == 2 else None
