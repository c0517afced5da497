"""A socket of the test plays the switchboard."""

import socket
import threading
from collections.abc import Iterator

import pytest

from switchboard.sip.message import parse_message
from switchboard.sip.respond import build_response
from switchboard.survey.ping import NobodyListens, options, ping


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5.0)
        yield sock


def address_of(server: socket.socket) -> tuple[str, int]:
    host, port = server.getsockname()
    return host, port


def answer(server: socket.socket) -> None:
    raw, peer = server.recvfrom(65535)
    server.sendto(build_response(parse_message(raw), 200, to_tag="t"), peer)


def test_an_answer(server: socket.socket) -> None:
    answering = threading.Thread(target=answer, args=(server,))
    answering.start()
    took_s = ping(*address_of(server), 5.0)
    answering.join()
    assert took_s is not None
    assert 0 < took_s < 5


def test_silence(server: socket.socket) -> None:
    assert ping(*address_of(server), 0.01) is None


def test_nobody_listens(server: socket.socket) -> None:
    address = address_of(server)
    server.close()
    with pytest.raises(NobodyListens):
        ping(*address, 5.0)


def test_addresses_of_both_families() -> None:
    message = parse_message(options("::1", 6060, "2001:db8::1", 5060))
    assert (message.method, message.uri) == ("OPTIONS", "sip:[2001:db8::1]:5060")
    assert message.via.host == "[::1]"
