"""A WebSocket for SIP at the console's address: it goes to the keeper of the edge's connections, and outlives us."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from console.conftest import PASSWORD_HASH
from console.test_server import ANSWERED_S, Console, serving
from transports.test_framing import EMPTY
from transports.test_websocket import frame, read
from wsproto import events

from switchboard import codec
from switchboard.sip.flow import WS
from switchboard.transports.keeper_words import MESSAGE_OCTETS, NAME, Word

HANDSHAKE = (
    "GET /sip?phone=1 HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: {origin}\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {protocol}\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-Fetch-Site: cross-site\r\n\r\n"
)


@pytest.fixture
def desk(data_dir: Path) -> Iterator[socket.socket]:
    """Where the keeper would listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.settimeout(ANSWERED_S)
        listener.bind(str(data_dir / "run" / NAME))
        listener.listen()
        yield listener


@pytest.fixture
def console(data_dir: Path) -> Iterator[Console]:
    """One that wants a password, which phones have nothing to do with."""
    with serving(data_dir, console_password=PASSWORD_HASH) as running:
        yield running


def shake(console: Console, origin: str = "http://127.0.0.1", protocol: str = "sip") -> socket.socket:
    """A page's handshake."""
    host = f"127.0.0.1:{console.port}"
    return console.connect(HANDSHAKE.format(host=host, origin=origin, protocol=protocol).encode())


def taken(desk: socket.socket, source: str = "127.0.0.1") -> socket.socket:
    """The connection of `source` that the keeper is given."""
    link, _ = desk.accept()
    with link:
        said, fds, _, _ = socket.recv_fds(link, MESSAGE_OCTETS, 2)
    assert codec.unpack(said) == [Word.LENT, WS, source, []]
    (fd,) = fds
    return socket.socket(fileno=fd)


def answer(page: socket.socket) -> bytes:
    """What came, until the end."""
    found = b""
    while octets := page.recv(4096):
        found += octets
    return found


def test_the_keeper_gets_the_connection_of_a_page(console: Console, desk: socket.socket) -> None:
    with shake(console) as page, taken(desk) as given:
        assert page.recv(4096).startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert given.getpeername() == page.getsockname()
        console.server.stop()
        page.sendall(frame(EMPTY))
        assert given.recv(4096) == frame(EMPTY)
        given.sendall(b"\x81\x05hello")
        assert read(page.recv(4096)) == [events.TextMessage("hello")]


def test_a_proxy_tells_whose_connection_it_is(data_dir: Path, desk: socket.socket) -> None:
    url = "https://pbx.example"
    with serving(data_dir, console_password=PASSWORD_HASH, console_url=url) as console:
        request = HANDSHAKE.format(host="pbx.example", origin=url, protocol="sip")
        request = request.replace("\r\n", "\r\nX-Forwarded-For: 192.0.2.7\r\n", 1)
        with console.connect(request.encode()) as page, taken(desk, "192.0.2.7"):
            assert page.recv(4096).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    ("origin", "protocol", "status", "sentence"),
    [
        ("https://evil.example", "sip", 403, "ws_origins"),
        ("http://127.0.0.1", "chat", 400, "subprotocol sip"),
    ],
)
def test_a_page_that_may_not_connect_is_told_why(
    console: Console, desk: socket.socket, origin: str, protocol: str, status: int, sentence: str
) -> None:
    with shake(console, origin, protocol) as page:
        found = answer(page)
    assert found.startswith(b"HTTP/1.1 %d " % status)
    assert sentence.encode() in found
    desk.setblocking(False)
    with pytest.raises(BlockingIOError):
        desk.accept()


def test_a_browser_that_only_looks_is_told_what_is_here(console: Console) -> None:
    status, text = console.ask("/sip")
    assert (status, "Phones in web pages" in text) == (426, True)


def test_without_an_edge_pages_are_told_to_come_again(console: Console) -> None:
    with shake(console) as page:
        found = answer(page)
    assert found.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 2" in found.lower()
