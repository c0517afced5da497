"""Copies of messages to a collector over real UDP."""

import socket

from history.test_hep import FOUR, decode

from switchboard.history.hep_sender import HepSender
from switchboard.history.seen import Address, Direction


def test_messages_reach_the_collector_without_secrets() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(2)
        sender = HepSender(f"127.0.0.1:{collector.getsockname()[1]}")
        sender.send(FOUR._replace(raw=b"OPTIONS\r\nAuthorization: Digest secret\r\n"), "abc")
        chunks = decode(collector.recv(65535))
        sender.close()
    assert chunks[15] == b"OPTIONS\r\nAuthorization: ***\r\n"
    assert sender.stats() == {"hep.sent": 1, "hep.dropped": 0}


def test_what_cannot_be_sent_is_counted() -> None:
    sender = HepSender("127.0.0.1:9")
    sender.send(FOUR._replace(raw=bytes(70_000)), "abc")
    sender.send(FOUR._replace(source=Address("nowhere", 0)), "abc")
    sender.send(FOUR._replace(direction=Direction.HOP), "abc")
    sender.close()
    assert sender.stats() == {"hep.sent": 0, "hep.dropped": 2}
