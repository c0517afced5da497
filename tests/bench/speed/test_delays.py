"""Packets of a capture, matched by their Call-ID."""

import struct
from collections.abc import Iterable

import pytest

from bench.speed.delays import Packet, parse_pcap, stays_ms

PROXY, CALLER, CALLEE = 5060, 6000, 7000
MS = 1_000_000


def packet(at_ms: float, source: int, target: int, line: str, call_id: str = "a") -> Packet:
    payload = f"{line}\r\nVia: x\r\nCall-ID: {call_id}\r\n\r\n".encode()
    return Packet(round(at_ms * MS), source, target, payload)


def invite(at_ms: float, source: int, target: int, call_id: str = "a") -> Packet:
    return packet(at_ms, source, target, "INVITE sip:x SIP/2.0", call_id)


def ringing(at_ms: float, source: int, target: int, call_id: str = "a") -> Packet:
    return packet(at_ms, source, target, "SIP/2.0 180 Ringing", call_id)


def call(at_ms: float, invite_ms: float, ringing_ms: float, call_id: str) -> list[Packet]:
    answer = at_ms + invite_ms + 5
    return [
        invite(at_ms, CALLER, PROXY, call_id),
        invite(at_ms + invite_ms, PROXY, CALLEE, call_id),
        ringing(answer, CALLEE, PROXY, call_id),
        ringing(answer + ringing_ms, PROXY, CALLER, call_id),
    ]


def write_pcap(packets: Iterable[Packet]) -> bytes:
    data = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)
    for each in packets:
        udp = struct.pack("!HHHH", each.source_port, each.target_port, 8 + len(each.payload), 0)
        frame = bytes(14) + b"\x45" + bytes(19) + udp + each.payload
        seconds, nanoseconds = divmod(each.at_ns, 1_000_000_000)
        data += struct.pack("<IIII", seconds, nanoseconds, len(frame), len(frame)) + frame
    return data


def test_what_was_captured_is_read() -> None:
    packets = call(1500.5, 1, 2, "a")
    assert list(parse_pcap(write_pcap(packets))) == packets


def test_a_packet_cut_off_by_the_end_is_left_out() -> None:
    packets = call(0, 1, 2, "a")
    assert list(parse_pcap(write_pcap(packets)[:-1])) == packets[:-1]


def test_a_capture_without_nanoseconds_is_refused() -> None:
    with pytest.raises(ValueError, match="nanoseconds"):
        list(parse_pcap(b"\xd4\xc3\xb2\xa1" + bytes(20)))


def test_time_inside_is_that_of_both_messages() -> None:
    packets = sorted([*call(0, 1, 2, "a"), *call(0.5, 0.25, 0.5, "b")], key=lambda one: one.at_ns)
    assert stays_ms(packets, PROXY) == pytest.approx([3.0, 0.75])


def test_repetitions_do_not_count() -> None:
    packets = [*call(0, 1, 2, "a"), invite(500, CALLER, PROXY), invite(501, PROXY, CALLEE)]
    assert stays_ms(packets, PROXY) == pytest.approx([3.0])


def test_a_call_that_was_not_seen_whole_does_not_count() -> None:
    assert stays_ms(call(0, 1, 2, "a")[:3], PROXY) == []
