"""Which connections a search finds."""

import socket
from collections.abc import Iterator

import pytest

from switchboard.sip.flow import TCP, TLS, WSS, Flow
from switchboard.transports.connection import Connection
from switchboard.transports.framing import StreamFraming
from switchboard.transports.listing import describe, page

PEERS = [
    ("lukas", TCP, "10.0.0.1", 5060),
    ("Lenka", TLS, "10.0.0.20", 40_000),
    ("", WSS, "2001:db8::7", 5061),
    ("tls", TCP, "10.0.0.3", 40_001),
]


@pytest.fixture
def connections() -> Iterator[list[Connection]]:
    with socket.socket() as sock:
        found = []
        for user, transport, host, port in PEERS:
            flow = Flow(transport, "10.0.0.9", host, port, b"\0serial..")
            found.append(Connection(b"serial..", sock, flow, StreamFraming(), 90.0))
            found[-1].user = user
        yield found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["lukas", "Lenka", "", "tls"]),
        ("LEN", ["Lenka"]),
        ("10.0.0.2", ["Lenka"]),
        ("10.0.0.1:5060", ["lukas"]),
        (" tls ", ["Lenka", "tls"]),
        ("db8", [""]),
        ("5061", []),
        ("2001:db8::7:5061", [""]),
        ("nobody", []),
    ],
)
def test_a_search(connections: list[Connection], text: str, found: list[str]) -> None:
    shown, count = page(connections, text, 0, 10)
    assert ([each.user for each in shown], count) == (found, len(found))


def test_pages(connections: list[Connection]) -> None:
    assert [[each.user for each in page(connections, "", skip, 3)[0]] for skip in (0, 3, 9)] == [
        ["lukas", "Lenka", ""],
        ["tls"],
        [],
    ]
    assert page(connections, "10.", 1, 0) == ([], 3)


def test_one_of_them(connections: list[Connection]) -> None:
    told = describe(connections[1], "edge-stream.0", connections[1].heard_at + 2, 100.0)
    assert told == {
        "user": "Lenka",
        "transport": "TLS",
        "host": "10.0.0.20",
        "port": 40_000,
        "cipher": "",
        "since_s": 10.0,
        "idle_s": 2.0,
        "stranger": True,
        "worker": "edge-stream.0",
    }
