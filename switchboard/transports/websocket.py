"""The server's side of a WebSocket (RFC 6455) that carries SIP (RFC 7118).

The handshake has to offer the subprotocol `sip`, and comes from a page whose origin is allowed. Then a message of the
WebSocket is one SIP message, text or binary, and may come in fragments. What of it is not as RFC 7118 wants it is
taken as a datagram would be: empty lines before the start line, no Content-Length, octets behind the body. Nothing of
that is sent. CRLFCRLF in a message of its own is answered CRLF, for clients that keep the connection open by it.

wsproto knows the frames. It gets them whole, so that what belongs to no whole message can be told, and so that a
frame is refused by its head if it is too large.
"""

import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final

from wsproto import events
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.frame_protocol import CloseReason
from wsproto.handshake import H11Handshake
from wsproto.utilities import RemoteProtocolError

from switchboard.sip.dispatch import PING, PONG
from switchboard.sip.scan import LARGEST
from switchboard.transports.channel import ChannelClosed, ChannelError
from switchboard.transports.framing import BLANK, HEAD_END, Framing

SUBPROTOCOL: Final = "sip"
_CONTROL, _MASKED, _SHORT = 0x08, 0x80, 0x7F
_LARGEST_CONTROL = 125
_EXTENDED = {126: 2, 127: 8}
_LARGEST_HEAD = 14
_HTTP = re.compile(rb"([A-Z]+) [^ \r\n]+ HTTP/1\.[01]\r\n")
_UPGRADE = re.compile(rb"\r\nupgrade[ \t]*:[ \t]*websocket[ \t]*\r\n", re.IGNORECASE)

Allows = Callable[[str, str], bool]
"""Whether pages of an origin ("": it was not told) may connect to a host (with its port, as the browser knows it)."""


class HandshakeRefused(ChannelError):
    """A request that opens no WebSocket here; `headers` of the HTTP response, and a sentence that it says."""

    def __init__(self, status: HTTPStatus, sentence: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(f"{status:d} {sentence}", http_refusal(status, sentence, headers))
        self.http_status = status
        self.sentence = sentence
        self.headers = dict(headers)


class WebSocketFraming(Framing):
    """One connection; it `is_new` as long as none of its octets was consumed, for then the handshake has not ended."""

    def __init__(self, allows: Allows, max_message_bytes: int = LARGEST, is_new: bool = True) -> None:
        super().__init__(max_message_bytes)
        self._allows = allows
        self._connection = None if is_new else Connection(ConnectionType.SERVER)
        self._at = 0  # where in `_held` the next frame begins; before it are fragments
        self._parts: list[bytes] = []
        self._joined = 0  # octets in `_parts`

    @property
    def is_midway(self) -> bool:
        return self._connection is None or bool(self._held)

    def wrap(self, message: bytes) -> bytes:
        assert self._connection, "the handshake has not ended"
        try:
            return self._connection.send(events.TextMessage(message.decode()))
        except UnicodeDecodeError:
            return self._connection.send(events.BytesMessage(message))

    def farewell(self, reason: str, /) -> bytes:
        if self._connection is None:
            return http_refusal(HTTPStatus.REQUEST_TIMEOUT, reason)
        return self._goodbye(CloseReason.GOING_AWAY, reason)

    def _next(self) -> bytes:
        if self._connection is None and not self._shake_hands():
            return b""
        while end := self._frame_end():
            if message := self._take_frame(end):
                return message
        return b""

    def _shake_hands(self) -> bool:
        """Whether the request has come whole, and is answered. ChannelError."""
        if self._held and not self._held[:1].isalpha():
            raise HandshakeRefused(HTTPStatus.BAD_REQUEST, "These octets are no HTTP request.")
        end = self._held.find(HEAD_END) + len(HEAD_END)
        if max(end, len(self._held) if end < len(HEAD_END) else 0) > self._limit:
            raise HandshakeRefused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The header is too large.")
        if end < len(HEAD_END):
            return False
        self._connection, answer = shake_hands(bytes(self._held[:end]), self._allows)
        self._said += answer
        del self._held[:end]
        return True

    def _frame_end(self) -> int:
        """Where the next frame ends; 0 if it is not whole. ChannelError."""
        head = self._held[self._at : self._at + _LARGEST_HEAD]
        if len(head) < 2:
            return 0
        size = head[1] & _SHORT
        if head[0] & _CONTROL and size > _LARGEST_CONTROL:
            raise self._broken_rule("A control frame has at most 125 octets.")
        if not head[1] & _MASKED:
            raise self._broken_rule("The frames of a client have to be masked.")
        extended = _EXTENDED.get(size, 0)
        if len(head) < 2 + extended:
            return 0
        size = int.from_bytes(head[2 : 2 + extended], "big") if extended else size
        end = self._at + 2 + extended + 4 + size
        if size > self._limit or end > 2 * self._limit:
            raise self._too_large()
        return end if end <= len(self._held) else 0

    def _take_frame(self, end: int) -> bytes:
        """Return the SIP message that the frame completes; b"" if it completes none. ChannelError."""
        assert self._connection
        self._connection.receive_data(bytes(self._held[self._at : end]))
        self._at = end
        message = b"".join([self._take(event) for event in self._connection.events()])
        if not self._parts:
            del self._held[: self._at]
            self._at = 0
        return message

    def _take(self, event: events.Event) -> bytes:
        match event:
            case events.TextMessage():
                return self._join(event.data.encode(), event.message_finished)
            case events.BytesMessage():
                return self._join(bytes(event.data), event.message_finished)
            case events.Ping():
                assert self._connection
                self._said += self._connection.send(event.response())
            case events.CloseConnection():
                raise self._ended(event)
        return b""

    def _join(self, part: bytes, is_last: bool) -> bytes:
        """Return the SIP message that ends with `part`. ChannelError."""
        self._parts.append(part)
        self._joined += len(part)
        if self._joined > self._limit:
            raise self._too_large()
        if not is_last:
            return b""
        whole = b"".join(self._parts)
        self._parts.clear()
        self._joined = 0
        message = whole.lstrip(BLANK)
        if not message and PING in whole:
            self._said += self.wrap(PONG)
        return message

    def _ended(self, event: events.CloseConnection) -> ChannelError:
        """The peer has closed, or wsproto has found a rule broken."""
        assert self._connection
        reason = event.reason or ""
        if self._connection.state is not ConnectionState.REMOTE_CLOSING:
            return ChannelError(reason, self._goodbye(event.code, reason))
        return ChannelClosed(f"Closed By The Peer: {event.code:d}", self._connection.send(event.response()))

    def _broken_rule(self, reason: str) -> ChannelError:
        return ChannelError(reason, self._goodbye(CloseReason.PROTOCOL_ERROR, reason))

    def _too_large(self) -> ChannelError:
        reason = f"A message may have {self._limit} octets."
        return ChannelError(reason, self._goodbye(CloseReason.MESSAGE_TOO_BIG, reason))

    def _goodbye(self, code: int, reason: str) -> bytes:
        if self._connection is None or self._connection.state is not ConnectionState.OPEN:
            return b""
        return self._connection.send(events.CloseConnection(code, reason))


def shake_hands(head: bytes, allows: Allows) -> tuple[Connection, bytes]:
    """Return the WebSocket that the request (untrusted, whole) opens, and the answer. HandshakeRefused."""
    handshake = H11Handshake(ConnectionType.SERVER)
    try:
        handshake.receive_data(head)
        request = next(handshake.events(), None)
    except (RemoteProtocolError, UnicodeError) as error:
        raise _not_understood(head, error) from error
    if not isinstance(request, events.Request):
        raise HandshakeRefused(HTTPStatus.BAD_REQUEST, "These octets are no HTTP request.")
    if SUBPROTOCOL not in request.subprotocols:
        raise HandshakeRefused(
            HTTPStatus.BAD_REQUEST, "A WebSocket here speaks the subprotocol sip (RFC 7118): offer it."
        )
    origins = [value.decode("latin-1") for name, value in request.extra_headers if name == b"origin"]
    for origin in origins or [""]:
        if not allows(origin, request.host):
            raise HandshakeRefused(
                HTTPStatus.FORBIDDEN, "Pages of this origin may not connect here: see ws_origins."
            )
    answer = handshake.send(events.AcceptConnection(subprotocol=SUBPROTOCOL))
    assert handshake.connection
    return handshake.connection, answer


def _not_understood(head: bytes, error: Exception) -> HandshakeRefused:
    """Say what is wrong with the request."""
    http = _HTTP.match(head)
    if not http:
        return HandshakeRefused(HTTPStatus.BAD_REQUEST, "These octets are no HTTP request.")
    if http[1] != b"GET":
        return HandshakeRefused(
            HTTPStatus.METHOD_NOT_ALLOWED, "A WebSocket is opened by GET.", [("Allow", "GET")]
        )
    if not _UPGRADE.search(head):
        sentence = "Phones in web pages speak SIP over WebSocket here; there is nothing to look at."
        return HandshakeRefused(HTTPStatus.UPGRADE_REQUIRED, sentence, [("Upgrade", "websocket")])
    hint = getattr(error, "event_hint", None)
    if isinstance(hint, events.RejectConnection) and hint.status_code == HTTPStatus.UPGRADE_REQUIRED:
        sentence = "Version 13 of the WebSocket protocol is needed."
        return HandshakeRefused(HTTPStatus.UPGRADE_REQUIRED, sentence, [("Sec-WebSocket-Version", "13")])
    return HandshakeRefused(HTTPStatus.BAD_REQUEST, "The request opens no WebSocket.")


def http_refusal(status: HTTPStatus, sentence: str, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """Return a response that ends an HTTP connection, and says why to people."""
    body = f"{sentence}\n".encode()
    lines = [
        f"HTTP/1.1 {status:d} {status.phrase}",
        *(f"{name}: {value}" for name, value in headers),
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "\r\n"]).encode() + body
