"""HEP3 packets, read by a decoder written from the specification."""

import socket
import struct

import pytest

from switchboard.history.export import HepSender, TooLongError, encode
from switchboard.history.seen import Address, Direction, Seen

AT_NS = 1_795_556_353_963_342_974
FOUR = Seen(AT_NS, Address("10.0.0.2", 5062), Address("10.0.0.1", 5060), b"OPTIONS", Direction.IN)
SIX = FOUR._replace(source=Address("fe80::2%eth0", 5062), destination=Address("2001:db8::1", 5060))


def decode(packet: bytes) -> dict[int, bytes]:
    """Chunks of vendor 0 by their type."""
    assert packet[:4] == b"HEP3"
    assert struct.unpack_from("!H", packet, 4) == (len(packet),)
    chunks, at = {}, 6
    while at < len(packet):
        vendor, kind, length = struct.unpack_from("!HHH", packet, at)
        assert vendor == 0
        chunks[kind] = packet[at + 6 : at + length]
        at += length
    assert at == len(packet)
    return chunks


def test_ipv4() -> None:
    chunks = decode(encode(FOUR, "abc"))
    assert (chunks[1], chunks[2], chunks[11]) == (b"\x02", b"\x11", b"\x01"), "IPv4, UDP, SIP"
    assert (socket.inet_ntoa(chunks[3]), socket.inet_ntoa(chunks[4])) == ("10.0.0.2", "10.0.0.1")
    assert struct.unpack("!HH", chunks[7] + chunks[8]) == (5062, 5060)
    assert struct.unpack("!II", chunks[9] + chunks[10]) == (1_795_556_353, 963_342)
    assert len(chunks[12]) == 4
    assert (chunks[15], chunks[17]) == (b"OPTIONS", b"abc")


def test_ipv6() -> None:
    chunks = decode(encode(SIX, "abc"))
    assert chunks[1] == b"\x0a"
    assert chunks[5] == socket.inet_pton(socket.AF_INET6, "fe80::2")
    assert chunks[6] == socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    assert 3 not in chunks


@pytest.mark.parametrize("size", [65_400, 65_507, 100_000])
def test_what_does_not_fit_is_refused(size: int) -> None:
    with pytest.raises(TooLongError):
        encode(FOUR._replace(raw=bytes(size)), "abc")


def test_an_address_of_a_worker_is_refused() -> None:
    with pytest.raises(ValueError, match="router.0 is no IP address"):
        encode(FOUR._replace(source=Address("router.0", 0)), "abc")


def test_messages_reach_the_collector_without_secrets() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(20)
        sender = HepSender(f"127.0.0.1:{collector.getsockname()[1]}")
        sender.send(FOUR._replace(raw=b"OPTIONS\r\nAuthorization: Digest secret\r\n"), "abc")
        chunks = decode(collector.recv(65535))
        sender.close()
    assert chunks[15] == b"OPTIONS\r\nAuthorization: *** ***\r\n"
    assert sender.stats() == {"hep.sent": 1, "hep.dropped": 0}


def test_what_cannot_be_sent_is_counted() -> None:
    sender = HepSender("127.0.0.1:9")
    sender.send(FOUR._replace(raw=bytes(70_000)), "abc")
    sender.send(FOUR._replace(source=Address("nowhere", 0)), "abc")
    sender.send(FOUR._replace(direction=Direction.HOP), "abc")
    sender.close()
    assert sender.stats() == {"hep.sent": 0, "hep.dropped": 2}
