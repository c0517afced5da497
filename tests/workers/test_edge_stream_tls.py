"""TLS connections over real TCP, whose worker is killed."""

import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from bus.inbox import next_frame
from structlog.testing import capture_logs
from transports.test_websocket import REQUEST as UPGRADE
from transports.test_websocket import frame
from transports.tls_pairs import SUITES, TLS12, TLS13, Peer, client_context, prepare
from workers.test_edge_stream import LIMIT_S, Edge, forwarded, later, request, response

from switchboard.sip.flow import TLS, WSS, Flow
from switchboard.transports import streams

Start = Callable[..., Edge]


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def start(transport: int = TLS, **settings: Any) -> Edge:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sb")))
            prepare(directory, **settings)
            edge = Edge(directory, transport, **{"tls": True, "sip_host": "127.0.0.1", **settings})
            stack.callback(edge.close)
            return edge

        yield start


class Phone:
    """OpenSSL over a connection to the edge."""

    def __init__(self, edge: Edge, version: ssl.TLSVersion = TLS13, cipher: str = "") -> None:
        self.edge, self.sock = edge, edge.connect()
        self.sock.setblocking(False)
        self.peer = Peer(client_context(edge.settings, version, cipher))
        self.heard = b""
        self.sock.sendall(self.peer.shake_hands())
        edge.serve_until(lambda: self._looks() and self._is_ready())

    def say(self, data: bytes) -> None:
        self.sock.sendall(self.peer.say(data))

    def hears(self, size: int) -> bytes:
        self.edge.serve_until(lambda: self._looks() and len(self.heard) >= size)
        found, self.heard = self.heard[:size], self.heard[size:]
        return found

    def _looks(self) -> bool:
        """Take what has come; true."""
        with suppress(BlockingIOError):
            octets = self.sock.recv(1 << 16)
            assert octets, "the edge has closed"
            if self._is_ready():
                self.heard += self.peer.hear(octets)
            else:
                self.sock.sendall(self.peer.shake_hands(octets))
        return True

    def _is_ready(self) -> bool:
        try:
            self.peer.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True


@pytest.mark.parametrize(("version", "cipher"), SUITES)
def test_calls_and_answers_over_many_workers(start: Start, version: ssl.TLSVersion, cipher: str) -> None:
    edge = start()
    phone = Phone(edge, version, cipher)
    for number in range(5):
        phone.say(request("OPTIONS", f"call-{number}"))
        ((flow, _, raw),) = edge.items()
        assert (Flow.unpack(flow).transport, raw) == (TLS, request("OPTIONS", f"call-{number}"))
        edge.take_all()
        edge.send(flow, response())
        assert phone.hears(len(response())) == response()
        edge.die()
        edge.start()
    (told,) = edge.service.answer("connections.list", None)
    assert (told["transport"], told["cipher"][:6]) == ("TLS", "TLSv1.")
    assert edge.ended() == {}


def test_the_user_of_a_connection_is_known_to_the_next_worker(start: Start) -> None:
    edge = start()
    phone = Phone(edge)
    phone.say(request("REGISTER"))
    ((flow, _, _),) = edge.items()
    edge.take_all()
    edge.send(flow, response("REGISTER"))
    phone.hears(len(response("REGISTER")))
    for _ in range(3):
        (told,) = edge.service.answer("connections.list", None)
        assert (told["user"], told["stranger"]) == ("lukas", False)
        edge.die()
        edge.start()
    assert edge.service.answer("connections.list", ["LUK", 0, 5])[0][0]["user"] == "lukas"
    assert edge.service.answer("connections.list", ["x", 0, 5]) == [[], 0, 1]
    for body in ([], ["x"], [1, 2, 3]):
        with pytest.raises(LookupError):
            edge.service.answer("connections.list", body)


def test_what_was_not_acknowledged_comes_again(start: Start) -> None:
    edge = start()
    phone = Phone(edge)
    phone.say(request("OPTIONS", "a") + request("OPTIONS", "b")[:50])
    edge.items()
    edge.die()
    edge.start()
    assert [item[2] for item in edge.items()] == [request("OPTIONS", "a")]
    phone.say(request("OPTIONS", "b")[50:])
    assert [item[2] for item in edge.items()] == [request("OPTIONS", "b")]
    edge.take_all()
    edge.die()
    phone.say(request("OPTIONS", "c"))
    edge.start()
    assert [item[2] for item in edge.items()] == [request("OPTIONS", "c")]


def test_output_that_the_phone_has_not_read(start: Start) -> None:
    """It is in the table, sealed; the successor writes the rest of it, and goes on behind it."""
    edge = start()
    phone = Phone(edge)
    phone.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    phone.say(request("OPTIONS"))
    ((flow, _, _),) = edge.items()
    edge.take_all()
    large = request(body=16_000 * "x")
    count = 0
    while not edge.service.stats()["connections.stalled"]:
        edge.send(flow, large)
        edge.loop.rounds.round(0.01)
        count += 1
        assert count < 500
    edge.die()
    edge.start()
    edge.send(flow, response())
    assert phone.hears(count * len(large)) == count * large
    assert phone.hears(len(response())) == response()


def test_a_kill_amid_the_handshake_ends_the_connection(start: Start) -> None:
    edge = start()
    sock = edge.connect()
    sock.sendall(Peer(client_context(edge.settings)).shake_hands())
    assert edge.got(sock, 1) == b"\x16"
    edge.die()
    edge.start()
    edge.serve_until(lambda: edge.is_closed(sock))


def test_a_kill_before_the_handshake_changes_nothing(start: Start) -> None:
    edge = start()
    sock = edge.connect()
    edge.die()
    edge.start()
    sock.sendall(Peer(client_context(edge.settings)).shake_hands())
    assert edge.got(sock, 1) == b"\x16"


def test_without_survival_connections_end_with_their_worker(start: Start) -> None:
    edge = start(tls_survive=False)
    phone = Phone(edge)
    phone.say(request("OPTIONS"))
    edge.items()
    edge.take_all()
    edge.die()
    edge.start()
    edge.serve_until(lambda: edge.ended() == {"not_resumed": 1})


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_a_websocket_inside(start: Start, version: ssl.TLSVersion) -> None:
    edge = start(WSS, transports=("udp", "wss"), ws_origins=("*",))
    phone = Phone(edge, version)
    phone.say(UPGRADE)
    assert phone.hears(12) == b"HTTP/1.1 101"
    edge.die()
    edge.start()
    raw = request("OPTIONS")
    phone.say(frame(raw))
    ((flow, _, got),) = edge.items()
    assert (Flow.unpack(flow).transport, got) == (WSS, raw)
    edge.take_all()
    edge.die()
    edge.start()
    edge.send(flow, response())
    edge.serve_until(lambda: phone._looks() and phone.heard.endswith(response()))


def test_plain_text_is_refused_and_counted(start: Start) -> None:
    edge = start()
    phone = edge.connect()
    phone.sendall(request("OPTIONS"))
    assert edge.got(phone, 7)[:1] == b"\x15"
    edge.serve_until(lambda: edge.ended() == {"bad_input": 1})


def test_strangers_do_not_fill_the_log(start: Start) -> None:
    edge = start()
    with capture_logs() as lines:
        for _ in range(30):
            edge.connect().sendall(b"GET / HTTP/1.1\r\n\r\n")
        edge.serve_until(lambda: edge.ended() == {"bad_input": 30})
    assert lines[0] == {
        "event": "stream ended",
        "log_level": "info",
        "source": "127.0.0.1",
        "transport": "TLS",
        "reason": "HTTP Where TLS Is Spoken",
    }
    assert len(lines) + edge.service.stats()["unlogged"] == 30
    assert len(lines) < 30


def test_keys_are_erased_with_their_connection(start: Start) -> None:
    edge = start()
    phone = Phone(edge)
    phone.say(request("OPTIONS"))
    edge.items()
    edge.take_all()
    (connection,) = edge.service._streams
    key = connection.channel.writing[-32:]
    memory = edge.service._streams._table._memory
    assert memory.find(key) >= 0
    phone.sock.close()
    edge.serve_until(lambda: edge.ended() == {"ended_by_peer": 1})
    assert memory.find(key) < 0


def test_a_request_to_a_phone_that_has_no_connection(start: Start) -> None:
    """We connect to it, and it proves who it is."""
    edge = start(tls_verify=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls = edge.settings.tls_path
    context.load_cert_chain(tls / "cert.pem", tls / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        edge.send(Flow(TLS, "127.0.0.1", *listener.getsockname()).pack(), forwarded())

        def accepted() -> socket.socket | None:
            with suppress(BlockingIOError):
                return listener.accept()[0]
            return None

        with edge.serve_until(accepted) as sock:
            sock.setblocking(False)
            peer = Peer(context, is_server=True)

            def look() -> bytes:
                with suppress(BlockingIOError):
                    sock.sendall(peer.shake_hands(sock.recv(1 << 16)))
                with suppress(ssl.SSLWantReadError):
                    return peer.tls.read(1 << 16)
                return b""

            assert edge.serve_until(look) == forwarded()


def test_who_proved_to_be_somebody_is_not_taken_for_somebody_else(start: Start) -> None:
    """Anybody may let a name of his lead to the address of others, and be in between."""
    edge = start(tls_verify=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = Flow(TLS, "127.0.0.1", *listener.getsockname()).pack()
        for name in (b"one.test", b"other.test", b"one.test"):
            edge.send(place, forwarded().replace(b"switchboard.test", name))
        edge.serve_until(lambda: edge.service._streams.count == 2)
        assert [len(each.backlog or ()) for each in edge.service._streams] == [2, 1]


def test_a_server_that_shakes_no_hands_is_not_waited_for(start: Start) -> None:
    edge = start()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        edge.send(Flow(TLS, "127.0.0.1", *listener.getsockname()).pack(), forwarded(router=1))
        edge.serve_until(lambda: [each for each in edge.service._streams if each.backlog is None])
        later(edge, 3.0)
        assert edge.service._streams.count == 1
        later(edge, 5.0)
    assert edge.ended() == {"not_made": 1}
    inbox = edge.inboxes["router.1"]
    edge.serve_until(lambda: inbox.poll(0) and next_frame(inbox)[0] == "sip.undeliverable")


def test_the_oldest_handshake_of_a_source_gives_way(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that have ended do not count."""
    monkeypatch.setattr(streams, "HANDSHAKES_OF_SOURCE", 2)
    edge = start()
    phones = [Phone(edge) for _ in range(3)]
    slow = [edge.connect() for _ in range(3)]
    for each in slow:
        before = edge.adopted
        each.sendall(b"\x16")
        edge.serve_until(lambda before=before: edge.adopted > before)  # type: ignore[misc]
    assert edge.ended() == {"too_many_handshakes": 1}
    slow[0].settimeout(LIMIT_S)
    assert slow[0].recv(1) == b""
    for phone in phones:
        phone.say(request("OPTIONS"))
        edge.items()
