"""Datagrams out of packets as they pass a bridge."""

import socket
import struct

from interop.tap import Datagrams, Seen

SOURCE, TARGET = ("10.77.0.12", 5060), ("10.77.0.1", 5070)


def packet(piece: bytes, place: int = 0, protocol: int = 17) -> bytes:
    """An IPv4 packet; `place`: flags and offset of a fragment."""
    hosts = socket.inet_aton(SOURCE[0]) + socket.inet_aton(TARGET[0])
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(piece), 7, place, 64, protocol, 0)
    return head + hosts + piece + b"padding"


def datagram(payload: bytes) -> bytes:
    """UDP."""
    return struct.pack("!HHHH", SOURCE[1], TARGET[1], 8 + len(payload), 0) + payload


def test_a_datagram_in_one_packet() -> None:
    assert Datagrams().take(packet(datagram(b"hello"))) == (SOURCE, TARGET, b"hello")


def test_a_datagram_in_pieces_comes_with_the_last() -> None:
    whole, datagrams = datagram(b"x" * 3000), Datagrams()
    assert datagrams.take(packet(whole[:1480], 0x2000)) is None
    assert datagrams.take(packet(whole[1480:2960], 0x2000 | 185)) is None
    assert datagrams.take(packet(whole[2960:], 370)) == (SOURCE, TARGET, b"x" * 3000)


def test_other_protocols_and_empty_datagrams_are_passed_over() -> None:
    assert Datagrams().take(packet(datagram(b"hello"), protocol=6)) is None
    assert Datagrams().take(packet(datagram(b""))) is None


def test_an_answer_tells_its_method_from_cseq() -> None:
    seen = Seen(SOURCE, TARGET, "SIP/2.0 180 Ringing", (("cseq", "2 INVITE"),))
    assert (seen.status, seen.method) == (180, "INVITE")
