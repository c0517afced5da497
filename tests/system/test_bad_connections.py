"""What a peer may do to a connection, and what becomes of it: of the running switchboard nothing else is touched."""

import json
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import pytest
from system.dialog import place_call
from system.harness import PATIENCE_S, Switchboard, free_port, wait_until
from system.net import Net
from system.stream_agent import StreamAgent, registered_on_stream
from system.tools import require_tools
from system.user_agent import registered
from transports.test_websocket import CLOSE, PING, TEXT, frame

pytestmark = pytest.mark.system

HOST = "127.0.0.1"
FORGETTING_S = 45.0
"""Half of anything is waited for 30 s."""
MOST_OF_SOURCE = 100
MANY = 1000
NO_MASK = bytes((0x81, 5)) + b"hello"
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\n"
)
UPGRADE = HANDSHAKE + b"\r\n"
CLIENT_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(300)


@dataclass
class Ports:
    """Those of one switchboard with all transports."""

    tcp: int
    tls: int
    ws: int
    wss: int

    def connect(self, transport: str) -> socket.socket:
        return socket.create_connection((HOST, getattr(self, transport)), PATIENCE_S)


class Board(Switchboard):
    """Whoever connects from here is one source with a limit."""

    def __init__(self, more: Mapping[str, str] | None = None) -> None:
        ports = [free_port(HOST) for _ in range(4)]
        self.ports = Ports(*ports)
        tcp, tls, ws, wss = map(str, ports)
        settings = {
            "SWITCHBOARD_TRANSPORTS": "udp,tcp,tls,ws,wss",
            "SWITCHBOARD_TLS_PORT": tls,
            "SWITCHBOARD_WS_PORT": ws,
            "SWITCHBOARD_WSS_PORT": wss,
        }
        super().__init__(settings | dict(more or {}), port=int(tcp))

    def open_ports(self) -> list[int]:
        """The peer's ports of all connections."""
        listed = json.loads(self.cli("connections", "--json").stdout)["connections"]
        return [each["port"] for each in listed]


@pytest.fixture(scope="module")
def board() -> Iterator[Board]:
    with Board() as board:
        yield board


@pytest.fixture(autouse=True)
def unharmed(board: Board) -> Iterator[None]:
    """Two phones that call each other over what else there is, before and after."""
    with Net(board.address) as net:
        caller, callee = registered(net, "kristian"), registered_on_stream(net, "lukas")
        place_call(caller, callee)
        yield
        place_call(callee, caller)
        assert not callee.connection.is_closed


def options(*lines: str, end: str = "\r\n\r\n") -> bytes:
    head = [
        "OPTIONS sip:127.0.0.1 SIP/2.0", "Via: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKbad;rport", "Max-Forwards: 70",
        "From: <sip:bad@127.0.0.1>;tag=1", "To: <sip:127.0.0.1>", "Call-ID: bad", "CSeq: 1 OPTIONS", *lines,
    ]  # fmt: skip
    return ("\r\n".join(head) + end).encode()


GOOD = options("Content-Length: 0")


ENDED = (ConnectionError, ssl.SSLError)
"""Of a connection that the other end has closed."""


ALERT = b"\x15\x03"
"""How an alert of TLS begins."""


def say(sock: socket.socket, octets: bytes) -> None:
    """Send as much as the other end wants to hear: it may have closed before the end of it."""
    with suppress(*ENDED):
        sock.sendall(octets)


def rest_of(sock: socket.socket, timeout_s: float = PATIENCE_S) -> bytes:
    """All that comes until the other end closes; TimeoutError if it does not."""
    sock.settimeout(timeout_s)
    found = b""
    with suppress(*ENDED):
        while came := sock.recv(1 << 16):
            found += came
    return found


BAD: Mapping[str, tuple[str, bytes, bytes]] = {
    "no length": ("tcp", options(), b'Warning: 399 switchboard "Missing Content-Length'),
    "negative length": (
        "tcp",
        options("Content-Length: -1"),
        b'Warning: 399 switchboard "Malformed Content-Length',
    ),
    "length of letters": (
        "tcp",
        options("Content-Length: 0x10"),
        b'Warning: 399 switchboard "Malformed Content-Length',
    ),
    "huge length": ("tcp", options("Content-Length: 999999999"), b"SIP/2.0 513 "),
    "length beyond numbers": (
        "tcp",
        options(f"Content-Length: {'9' * 40}"),
        b'Warning: 399 switchboard "Malformed',
    ),
    "two lengths": ("tcp", options("Content-Length: 0", "l: 5"), b'Warning: 399 switchboard "More Than One'),
    "head without end": ("tcp", options(f"X: {'x' * 70_000}", end=""), b"SIP/2.0 513 "),
    "HTTP": ("tcp", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b""),
    "TLS where none is": ("tcp", CLIENT_HELLO, b""),
    "octets of nothing": ("tcp", bytes(range(128, 256)) * 9, b""),
    "plain SIP where TLS is": ("tls", GOOD, b"\x15\x03\x03\x00\x02\x02\x0a"),
    "HTTP where TLS is": ("tls", b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 400 "),
    "no record of TLS": ("tls", b"\x16\x03\x01\xff\xff" + bytes(10), b"\x15\x03"),
    "plain SIP where WSS is": ("wss", GOOD, b"\x15\x03\x03\x00\x02\x02\x0a"),
    "plain SIP where WS is": ("ws", GOOD, b"HTTP/1.1 400 "),
    "TLS where WS is": ("ws", CLIENT_HELLO, b"HTTP/1.1 400 "),
    "wrong subprotocol": ("ws", UPGRADE.replace(b": sip", b": xmpp"), b"HTTP/1.1 400 "),
    "no subprotocol": ("ws", UPGRADE.replace(b"Sec-WebSocket-Protocol: sip\r\n", b""), b"HTTP/1.1 400 "),
    "foreign origin": ("ws", HANDSHAKE + b"Origin: https://evil.example\r\n\r\n", b"HTTP/1.1 403 "),
    "headers without end": ("ws", HANDSHAKE + b"X: " + b"x" * 70_000, b"HTTP/1.1 431 "),
}
CLOSED: Mapping[str, tuple[bytes, int]] = {
    "a frame of 1 GB": (frame(b"x", size=1 << 30), 1009),
    "a frame of 2^63": (frame(b"x", size=1 << 62), 1009),
    "an unmasked frame": (NO_MASK, 1002),
    "a ping of 126 octets": (frame(bytes(126), PING), 1002),
    "a fragmented ping": (frame(b"x", PING, fin=False), 1002),
    "a continuation of nothing": (frame(b"x", 0), 1002),
    "a reserved opcode": (frame(b"x", 11), 1002),
    "text that is none": (frame(b"\xff\xfe", TEXT), 1007),
    "fragments without end": (frame(b"x" * 60_000, fin=False) + frame(b"x" * 6_000, 0, fin=False), 1009),
}


@pytest.mark.parametrize("name", BAD)
def test_an_answer_and_the_end(board: Board, name: str) -> None:
    transport, octets, answer = BAD[name]
    with board.ports.connect(transport) as sock:
        say(sock, octets)
        assert answer in rest_of(sock)


@pytest.mark.parametrize("name", BAD)
def test_the_same_octet_by_octet(board: Board, name: str) -> None:
    transport, octets, answer = BAD[name]
    with board.ports.connect(transport) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(ConnectionError):
            for octet in octets[:2000]:
                sock.send(bytes((octet,)))
            sock.sendall(octets[2000:])
        said = rest_of(sock)
    is_alert = transport in ("tls", "wss") and said.startswith(
        ALERT
    )  # one octet does not say that it is HTTP
    assert answer in said or is_alert or len(octets) > 2000, "its end may have overtaken the answer"


def opened(board: Board, transport: str) -> socket.socket:
    """A WebSocket, behind the handshake."""
    sock = board.ports.connect(transport)
    if transport == "wss":
        context = ssl.create_default_context(cafile=board.data_dir / "tls" / "ca.pem")
        sock = context.wrap_socket(sock, server_hostname=HOST)
    sock.sendall(UPGRADE)
    assert sock.recv(1 << 16).startswith(b"HTTP/1.1 101 ")
    return sock


@pytest.mark.parametrize("transport", ["ws", "wss"])
@pytest.mark.parametrize("name", CLOSED)
def test_a_close_code(board: Board, name: str, transport: str) -> None:
    octets, code = CLOSED[name]
    with opened(board, transport) as sock:
        say(sock, octets)
        said = rest_of(sock)
        assert said[0] == 0x80 | CLOSE
        assert int.from_bytes(said[2:4], "big") == code


def test_renegotiation(board: Board) -> None:
    """OpenSSL's client asks for it by R."""
    require_tools("openssl")
    command = ["openssl", "s_client", "-tls1_2", "-connect", f"{HOST}:{board.ports.tls}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=subprocess.DEVNULL, stderr=pipe) as client:
        assert client.stdin
        assert client.stderr
        client.stdin.write(b"R\n")
        client.stdin.flush()
        assert client.wait(PATIENCE_S) != 0
        assert b"no renegotiation" in client.stderr.read()


def test_a_record_that_is_cut_off(board: Board) -> None:
    context = ssl.create_default_context(cafile=board.data_dir / "tls" / "ca.pem")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=HOST)
    with board.ports.connect("tls") as sock:
        while True:
            with suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                break
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(1 << 16))
        tls.write(GOOD)
        sock.sendall(outgoing.read()[:-5])
        sock.shutdown(socket.SHUT_WR)
        rest_of(sock)


def test_a_name_of_nobody_gets_the_certificate(board: Board) -> None:
    context = ssl.create_default_context(cafile=board.data_dir / "tls" / "ca.pem")
    context.check_hostname = False
    with context.wrap_socket(board.ports.connect("tls"), server_hostname="nobody.example") as sock:
        sock.sendall(GOOD)
        assert sock.recv(4096).startswith(b"SIP/2.0 200 ")


def unread(board: Board) -> socket.socket:
    """A connection that has taken all that goes in without reading an answer."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect((HOST, board.ports.tcp))
    sock.settimeout(1.0)
    with suppress(TimeoutError):
        _send_for_ever(sock)
    return sock


def _send_for_ever(sock: socket.socket) -> None:
    while True:
        sock.sendall(GOOD * 50)


@pytest.mark.parametrize("transport", ["tcp", "tls", "ws", "wss"])
def test_resets_in_the_middle_of_anything(board: Board, transport: str) -> None:
    for size in range(1, len(GOOD), 25):
        sock = opened(board, transport) if "ws" in transport and size % 2 else board.ports.connect(transport)
        sock.send((GOOD * 3)[size:])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


@pytest.mark.parametrize("named", ["udp", "tls", "ws", "sctp", "", "tcp;transport=udp"])
def test_a_contact_whose_transport_is_not_the_connections(board: Board, named: str) -> None:
    class Liar(StreamAgent):
        @property
        def contact(self) -> str:
            return super().contact.replace("transport=tcp", f"transport={named}")

    with Net(board.address) as net:
        liar = Liar(net, "liar")
        liar.register().expect(200)
        asked = registered(net, "lukas").ask("MESSAGE", liar.aor, body=b"x")
        liar.expect("MESSAGE").reply(200)
        asked.expect(200)


def test_half_of_anything_is_not_waited_for_for_ever(board: Board) -> None:
    """Nor is who never reads, and an octet now and then keeps nothing half open."""
    halves: list[tuple[str, bytes, Callable[[bytes], bool]]] = [
        ("tcp", GOOD[:100], lambda said: not said),
        ("tcp", options("Content-Length: 100") + b"x", lambda said: not said),
        ("tls", CLIENT_HELLO[:40], lambda said: not said),
        ("ws", HANDSHAKE, lambda said: said.startswith(b"HTTP/1.1 408 ")),
        ("tcp", b"", lambda said: not said),
        ("tls", b"", lambda said: not said),
    ]
    began = time.monotonic()
    with ExitStack() as stack:
        never_read = stack.enter_context(unread(board))
        socks = [stack.enter_context(board.ports.connect(transport)) for transport, _, _ in halves]
        for sock, (_, octets, _) in zip(socks, halves, strict=True):
            sock.sendall(octets)
        slow = stack.enter_context(board.ports.connect("tcp"))
        slow.settimeout(1.0)
        is_open = True
        for octet in GOOD:
            with suppress(TimeoutError, ConnectionError):
                slow.send(bytes((octet,)))
                is_open = bool(slow.recv(1))
            if not is_open:
                break
        assert not is_open
        assert time.monotonic() - began < FORGETTING_S
        for sock, (_, _, is_right) in zip(socks, halves, strict=True):
            assert is_right(rest_of(sock, FORGETTING_S))
        never_read.settimeout(FORGETTING_S)
        with pytest.raises(ConnectionError):
            _send_for_ever(never_read)


def test_many_connections_of_one_source() -> None:
    """The oldest strangers go; a phone stays, and new phones come in."""
    limits = {
        "SWITCHBOARD_RATE_EXEMPT": "10.9.9.9/32",
        "SWITCHBOARD_MAX_CONNECTIONS_A_SOURCE": str(MOST_OF_SOURCE),
    }
    with Board(limits) as board, Net(board.address) as net, ExitStack() as stack:
        phone = registered_on_stream(net, "lukas")
        for _ in range(MANY):
            stack.enter_context(board.ports.connect("tcp"))
        wait_until(lambda: len(board.open_ports()) <= MOST_OF_SOURCE, "the limit")
        wait_until(lambda: phone.address[1] in board.open_ports(), "the phone's connection")
        place_call(registered_on_stream(net, "kristian"), phone)
