"""Which channel a connection gets, and whether one can go on in another process."""

from pathlib import Path

import pytest
from transports.test_websocket import REQUEST, frame, websocket
from transports.tls_pairs import Peer, client_context, connect, message, prepare

from switchboard.settings.model import Settings
from switchboard.sip.flow import TCP, TLS, WS, WSS
from switchboard.transports.channels import Channels
from switchboard.transports.dialling import peer_names
from switchboard.transports.framing import StreamFraming
from switchboard.transports.tls import TlsChannel
from switchboard.transports.websocket import WebSocketFraming


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return prepare(tmp_path, ws_origins=("*",))


def test_new_ones(settings: Settings) -> None:
    channels = Channels(settings)
    kinds = [type(channels.accept(transport)) for transport in (TCP, TLS, WS, WSS)]
    assert kinds == [StreamFraming, TlsChannel, WebSocketFraming, TlsChannel]
    assert [type(channels.connect(transport, ["a"])) for transport in (TCP, TLS)] == [
        StreamFraming,
        TlsChannel,
    ]


def test_plain_ones_go_on_by_what_was_consumed(settings: Settings) -> None:
    channels = Channels(settings)
    tcp = channels.restore(TCP, b"", b"", is_new=False)
    assert tcp
    assert tcp.feed(message(1)) == [message(1)]
    for is_new, octets in ((True, REQUEST), (False, frame(message(1)))):
        ws = channels.restore(WS, b"", b"", is_new=is_new)
        assert ws
        assert ws.feed(octets) == websocket(is_new).feed(octets)


@pytest.mark.parametrize(
    ("transport", "first", "second"),
    [(TLS, b"\r\n\r\n", message(1)), (WSS, REQUEST, frame(message(1))), (WSS, REQUEST[:90], REQUEST[90:])],
    ids=["tls", "wss", "wss amid its handshake"],
)
def test_those_in_tls_go_on_by_their_states(
    settings: Settings, transport: int, first: bytes, second: bytes
) -> None:
    channels = Channels(settings)
    before = channels.accept(transport)
    assert isinstance(before, TlsChannel)
    peer = Peer(client_context(settings))
    connect(before, peer)
    before.feed(peer.say(first))
    peer.hear(before.take_output())
    after = channels.restore(transport, before.reading, before.writing, is_new=False)
    assert isinstance(after, TlsChannel)
    assert after.cipher == before.cipher != ""
    after.feed(before.pending)
    found = after.feed(peer.say(second))
    said = peer.hear(after.take_output())
    assert found == [message(1)] or said.startswith(b"HTTP/1.1 101")


def test_those_in_tls_that_cannot_go_on(settings: Settings) -> None:
    channels = Channels(settings)
    assert channels.restore(TLS, b"", b"", is_new=False) is None
    assert channels.restore(TLS, b"rubbish", b"rubbish", is_new=False) is None
    assert isinstance(channels.restore(TLS, b"", b"", is_new=True), TlsChannel)


def test_notes(settings: Settings) -> None:
    assert Channels(settings).notes() == []
    (settings.tls_path / "key.pem").unlink()
    assert "cannot be read" in Channels(settings).notes()[0]
    assert Channels(settings.model_copy(update={"tls": False})).notes() == []


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"INVITE sip:a@Example.COM:5061;transport=tls SIP/2.0\r\n", ["example.com", "10.0.0.1"]),
        (b"INVITE sips:example.com SIP/2.0\r\n", ["example.com", "10.0.0.1"]),
        (b"BYE sip:a@b SIP/2.0\r\nRoute: <sip:p.example:5061;lr>, <sip:q>\r\n", ["p.example", "10.0.0.1"]),
        (b'BYE sip:a@b SIP/2.0\r\nroute : "x" <sips:u@p.example;lr>\r\n', ["p.example", "10.0.0.1"]),
        (b"BYE sip:a@[2001:db8::1]:5061 SIP/2.0\r\n", ["2001:db8::1", "10.0.0.1"]),
        (b"BYE sip:10.0.0.1 SIP/2.0\r\n", ["10.0.0.1"]),
        (b"SIP/2.0 200 OK\r\n", ["10.0.0.1"]),
        (b"BYE sip:example.com SIP/2.0\r\nl: 9\r\n\r\nx\r\nRoute: <sip:q>\r\n", ["example.com", "10.0.0.1"]),
        (b"SIP/2.0 200 OK\r\nl: 9\r\n\r\nx\r\nRoute: <sip:q>\r\n", ["10.0.0.1"]),
        (b"BYE tel:1 SIP/2.0\r\n", ["10.0.0.1"]),
    ],
)
def test_whom_we_want_to_reach(message: bytes, expected: list[str]) -> None:
    assert peer_names(message, "10.0.0.1") == expected
