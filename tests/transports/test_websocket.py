"""The server's side of a WebSocket that carries SIP: the handshake, frames, and what ends the connection."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sip.messages import anything
from transports.streams import LIMIT, Outcome, all_cuts, check, outcome
from transports.test_framing import EMPTY, FULL
from wsproto import events
from wsproto.connection import Connection, ConnectionType
from wsproto.frame_protocol import CloseReason

from switchboard.transports.channel import ChannelClosed, ChannelError
from switchboard.transports.websocket import WebSocketFraming

REQUEST = (
    b"GET /sip HTTP/1.1\r\nHost: pbx.example:8080\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://pbx.example:8080\r\n"
    b"Sec-WebSocket-Protocol: other, sip\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)
ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
)  # RFC 6455 §1.3
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MASK = b"\x37\xfa\x21\x3d"


def allows(origin: str, host: str) -> bool:
    return origin in ("", f"http://{host}")


def websocket(is_new: bool = True) -> WebSocketFraming:
    return WebSocketFraming(allows, LIMIT, is_new)


def opened(_is_new: bool = False) -> WebSocketFraming:
    return websocket(False)


def frame(payload: bytes, opcode: int = TEXT, *, fin: bool = True, size: int | None = None) -> bytes:
    """A client's frame; `size`: what its head says, if that is not so."""
    size = len(payload) if size is None else size
    long = b"" if size <= 125 else size.to_bytes(2 if size < 1 << 16 else 8, "big")
    short = {0: size, 2: 126, 8: 127}[len(long)]
    masked = bytes(octet ^ MASK[at % 4] for at, octet in enumerate(payload))
    return bytes((fin << 7 | opcode, 0x80 | short)) + long + MASK + masked


def read(octets: bytes) -> list[events.Event]:
    """What a client makes of our octets."""
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(octets)
    return list(client.events())


def after_handshake(*octets: bytes) -> Outcome:
    return outcome(opened(), [b"".join(octets)])


def test_a_handshake_and_frames_in_one_piece() -> None:
    channel = websocket()
    assert channel.is_midway
    assert channel.feed(REQUEST + frame(EMPTY) + frame(FULL, BINARY)) == [EMPTY, FULL]
    assert channel.take_output() == ACCEPTED
    assert (channel.is_midway, channel.pending) == (False, b"")


@pytest.mark.parametrize(
    ("old", "new", "status", "sentence"),
    [
        (b"Upgrade: WebSocket\r\n", b"", 426, "there is nothing to look at"),
        (b"GET", b"POST", 405, "opened by GET"),
        (b"Version: 13", b"Version: 8", 426, "Version 13"),
        (b"Sec-WebSocket-Version: 13\r\n", b"", 400, "opens no WebSocket"),
        (b"Sec-WebSocket-Key: ", b"X-Key: ", 400, "opens no WebSocket"),
        (b"keep-alive, Upgrade", b"close", 400, "opens no WebSocket"),
        (b"Host: ", b"X-Host: ", 400, "opens no WebSocket"),
        (b"Host: pbx", b"Host: \xff\xfe", 400, "opens no WebSocket"),
        (b"/sip", b"/\xff", 400, "opens no WebSocket"),
        (b"other, sip", b"other", 400, "subprotocol sip"),
        (b"other, sip", b"sips, SIP", 400, "subprotocol sip"),
        (b"other, sip", b"\xff, sip", 400, "opens no WebSocket"),
        (b"Sec-WebSocket-Protocol: other, sip\r\n", b"", 400, "subprotocol sip"),
        (b"Origin: http://pbx", b"Origin: http://evil", 403, "ws_origins"),
        (b"Origin: http://pbx.example:8080", b"Origin: null", 403, "ws_origins"),
        (b"Origin: ", b"Origin: http://evil.example\r\nOrigin: ", 403, "ws_origins"),
        (b"HTTP/1.1", b"SIP/2.0", 400, "no HTTP request"),
        (REQUEST[:3], b"\x16\x03\x01", 400, "no HTTP request"),
        (b"Host", b"Cookie: " + b"x" * LIMIT + b"\r\nHost", 431, "too large"),
    ],
)
def test_a_handshake_that_is_refused(old: bytes, new: bytes, status: int, sentence: str) -> None:
    channel = websocket()
    with pytest.raises(ChannelError, match=sentence) as raised:
        channel.feed(REQUEST.replace(old, new, 1) + frame(EMPTY))
    head, _, body = raised.value.close_with.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"Content-Length: %d\r\nConnection: close" % len(body) in head
    assert sentence in body.decode()
    assert (channel.take_output(), raised.value.messages) == (b"", [])
    with pytest.raises(ChannelError, match=sentence):
        channel.feed(b"x")


def test_a_client_that_is_no_page_tells_no_origin() -> None:
    request = re.sub(rb"Origin: [^\r]+\r\n", b"", REQUEST)
    assert outcome(websocket(), [request]).said == ACCEPTED


def test_half_a_handshake_is_owed_and_ends_with_a_sentence() -> None:
    channel = websocket()
    channel.feed(REQUEST[:-1])
    assert (channel.is_midway, channel.pending) == (True, REQUEST[:-1])
    farewell = channel.farewell("The request did not come in time.")
    assert farewell.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert farewell.endswith(b"\r\n\r\nThe request did not come in time.\n")


def test_fragments_are_joined_and_a_ping_between_them_is_answered() -> None:
    channel = opened()
    first = frame(FULL[:5], BINARY, fin=False)
    rest = frame(FULL[5:20], 0, fin=False) + frame(b"hello", PING)
    assert channel.feed(first + rest) == []
    assert (channel.is_midway, channel.pending) == (True, first + rest)
    assert read(channel.take_output()) == [events.Pong(b"hello")]
    assert channel.feed(frame(FULL[20:], 0) + frame(EMPTY)) == [FULL, EMPTY]
    assert (channel.is_midway, channel.pending) == (False, b"")


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_message_has_a_largest_size(size: int, count: int) -> None:
    body = b"x" * size
    step = -(-size // count)
    parts = [body[at : at + step] for at in range(0, size, step)]
    frames = [
        frame(part, 0 if number else TEXT, fin=number == count - 1) for number, part in enumerate(parts)
    ]
    found = after_handshake(*frames)
    if size == LIMIT:
        assert found == Outcome([body], b"", "", b"")
    else:
        assert closing(found) == (CloseReason.MESSAGE_TOO_BIG, f"A message may have {LIMIT} octets.")


def closing(found: Outcome) -> tuple[int, str | None]:
    """With what our side has closed the connection."""
    (event,) = read(found.close_with)
    assert isinstance(event, events.CloseConnection)
    assert event.reason == found.reason
    return event.code, event.reason


@pytest.mark.parametrize(
    ("octets", "code", "reason"),
    [
        (frame(b"", size=1 << 30), CloseReason.MESSAGE_TOO_BIG, "octets"),
        (frame(b"", size=(1 << 63) - 1), CloseReason.MESSAGE_TOO_BIG, "octets"),
        (b"\x81\x05hello", CloseReason.PROTOCOL_ERROR, "masked"),
        (frame(b"x" * 126, PING), CloseReason.PROTOCOL_ERROR, "125"),
        (frame(b"x" * 126, CLOSE), CloseReason.PROTOCOL_ERROR, "125"),
        (frame(b"hello", PING, fin=False), CloseReason.PROTOCOL_ERROR, "fragment"),
        (frame(b"hello", 3), CloseReason.PROTOCOL_ERROR, "opcode"),
        (frame(b"hello", 0), CloseReason.PROTOCOL_ERROR, "CONTINUATION"),
        (frame(b"a", fin=False) + frame(b"b"), CloseReason.PROTOCOL_ERROR, "CONTINUATION"),
        (b"\xc1" + frame(b"hello")[1:], CloseReason.PROTOCOL_ERROR, "Reserved bit"),
        (b"\x81\xfe\0\5" + frame(b"hello")[2:], CloseReason.PROTOCOL_ERROR, "length"),
        (frame(b"\xff"), CloseReason.INVALID_FRAME_PAYLOAD_DATA, "decode"),
        (frame(b"x", CLOSE), CloseReason.PROTOCOL_ERROR, "1 byte"),
        (frame(b"", fin=False) + frame(b"", 0, fin=False) * LIMIT, CloseReason.MESSAGE_TOO_BIG, "octets"),
    ],
)
def test_a_broken_rule_ends_the_connection(octets: bytes, code: int, reason: str) -> None:
    found = after_handshake(frame(EMPTY), octets, frame(FULL))
    assert found.messages == [EMPTY]
    assert closing(found)[0] == code
    assert reason in found.reason


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe9Reload"])
def test_a_goodbye_is_answered(payload: bytes) -> None:
    channel = opened()
    with pytest.raises(ChannelClosed, match="Closed By The Peer") as raised:
        channel.feed(frame(EMPTY) + frame(payload, CLOSE) + frame(FULL))
    assert raised.value.messages == [EMPTY]
    assert raised.value.close_with == bytes((0x80 | CLOSE, len(payload))) + payload
    assert channel.farewell("Restart.") == b""


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_double_crlf_is_answered_in_a_frame(opcode: int) -> None:
    assert read(after_handshake(frame(b"\r\n\r\n", opcode)).said) == [events.TextMessage("\r\n")]


@pytest.mark.parametrize("octets", [frame(b""), frame(b"\r\n"), frame(b"\0\0\0\0"), frame(b"x", PONG)])
def test_what_means_nothing_is_taken_silently(octets: bytes) -> None:
    assert after_handshake(octets) == Outcome([], b"", "", b"")


@pytest.mark.parametrize("before", [b"", b"\r\n", b"\r\n\r\n"])
def test_a_message_is_taken_as_a_datagram_is(before: bytes) -> None:
    message = EMPTY.replace(b"Content-Length: 0\r\n", b"") + b"v=0\r\n"
    assert after_handshake(frame(before + message)) == Outcome([message], b"", "", b"")


def test_pings_are_answered() -> None:
    said = after_handshake(frame(b"", PING), frame(b"x" * 125, PING)).said
    assert read(said) == [events.Pong(b""), events.Pong(b"x" * 125)]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (FULL, events.TextMessage(FULL.decode())),
        (EMPTY + "Obsadené".encode(), events.TextMessage(EMPTY.decode() + "Obsadené")),
        (EMPTY + b"\xff", events.BytesMessage(bytearray(EMPTY + b"\xff"))),
    ],
)
def test_a_message_leaves_in_a_frame_of_its_own(message: bytes, expected: events.Event) -> None:
    channel = opened()
    assert read(channel.wrap(message)) == [expected]
    assert read(channel.farewell("Restart.")) == [events.CloseConnection(CloseReason.GOING_AWAY, "Restart.")]


def test_a_byte_at_a_time() -> None:
    octets = REQUEST + frame(EMPTY) + frame(FULL[:9], fin=False) + frame(b"", PING) + frame(FULL[9:], 0)
    check(websocket, octets, range(len(octets)))
    assert outcome(websocket(), [octets]).messages == [EMPTY, FULL]


def inputs() -> st.SearchStrategy[bytes]:
    """Frames well and badly made."""
    payloads = st.one_of(anything(), st.sampled_from([b"", EMPTY, FULL, b"\r\n\r\n", b"x" * 126]))
    made: Callable[..., bytes] = lambda payload, opcode, fin: frame(payload, opcode, fin=fin)  # noqa: E731
    opcodes = st.sampled_from([0, 0, TEXT, TEXT, BINARY, CLOSE, PING, PONG, 3])
    frames = st.builds(made, payloads, opcodes, st.booleans())
    return st.lists(st.one_of(frames, frames, frames, st.binary(max_size=20)), max_size=8).map(b"".join)


@given(inputs(), all_cuts(), st.booleans())
def test_pieces_yield_what_the_whole_yields(octets: bytes, cuts: list[int], is_open: bool) -> None:
    if is_open:
        check(opened, octets, cuts)
    else:
        check(websocket, REQUEST + octets, cuts)


@given(anything(), all_cuts())
def test_any_handshake(octets: bytes, cuts: list[int]) -> None:
    check(websocket, octets, cuts)
