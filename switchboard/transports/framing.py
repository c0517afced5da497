"""SIP messages in a stream of octets (RFC 3261 §18.3), with the keep-alive of RFC 5626 §4.4.1.

Content-Length says where a message ends, so a message without it, or with two that differ, ends the connection:
nobody can know where the next one begins. Datagrams need none; what came as one gets it before it leaves in a stream.
Before a message CRLFCRLF is a ping, answered CRLF; other empty lines mean nothing. What has to be kept is never more
than one message of the size that is allowed.
"""

import re
from typing import Final

from switchboard.sip.dispatch import PING, PONG
from switchboard.sip.scan import LARGEST
from switchboard.transports.channel import Channel, ChannelError

try:
    from switchboard._native.wire import plain_size
except ImportError:

    def plain_size(octets: bytes) -> int:  # noqa: ARG001
        """Return how long the message is that the octets begin with; 0 if it is not plain, which the twin knows."""
        return 0


BLANK: Final = b"\r\n\0 \t"
"""Octets between messages that mean nothing; some phones keep a path open with zeros."""
HEAD_END: Final = b"\r\n\r\n"
TOO_LARGE = 513

_PART_OF_PING = re.compile(rb"(?:\r\n?|\r\n\r)?\Z")
_FIRST_OCTET = re.compile(rb"[A-Za-z0-9\-.!%*_+`'~]")
_CONTENT_LENGTH = re.compile(
    rb"\r\n(?:content-length|l)[ \t]*:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)", re.IGNORECASE
)
_DIGITS = re.compile(rb"[0-9]{1,10}")


class Framing(Channel):
    """What the channels have in common that find messages in octets; none is larger than `max_message_bytes`."""

    __slots__ = ("_broken", "_held", "_limit", "_said")

    def __init__(self, max_message_bytes: int) -> None:
        self._limit = max_message_bytes
        self._held = bytearray()
        self._said = bytearray()
        self._broken: ChannelError | None = None

    @property
    def reading(self) -> bytes:
        return b""

    @property
    def writing(self) -> bytes:
        return b""

    @property
    def pending(self) -> bytes:
        return bytes(self._held)

    def feed(self, octets: bytes) -> list[bytes]:
        """Return the messages that are whole now, without the empty lines between them. ChannelError."""
        if self._broken:
            raise ChannelError(self._broken.reason)
        self._held += octets
        messages: list[bytes] = []
        try:
            while message := self._next():
                messages.append(message)
        except ChannelError as error:
            error.messages = messages
            self._broken = error
            self._held.clear()
            raise
        return messages

    def take_output(self) -> bytes:
        said = bytes(self._said)
        self._said.clear()
        return said

    def _next(self) -> bytes:
        """Return the next whole message; b"" if there is none. ChannelError."""
        raise NotImplementedError


class StreamFraming(Framing):
    """Finds the messages of one connection."""

    __slots__ = ("_looked", "_size")

    def __init__(self, max_message_bytes: int = LARGEST) -> None:
        super().__init__(max_message_bytes)
        self._looked = 0  # octets of `_held` in which no head ends
        self._size = 0  # of the message whose head is held; 0: its end has not come

    @property
    def is_midway(self) -> bool:
        return bool(self._looked or self._size)

    def feed(self, octets: bytes) -> list[bytes]:
        is_fresh = not self._held and not self._broken and 0 < len(octets) <= self._limit
        if is_fresh and plain_size(octets) == len(octets):
            return [octets]
        return super().feed(octets)

    def wrap(self, message: bytes) -> bytes:
        """Return the message with a Content-Length that says where it ends: as a datagram it may have none."""
        if plain_size(message) == len(message):
            return message
        head, mark, body = message.partition(HEAD_END)
        if not mark or not head:
            return message
        values = {value.strip() for value in _CONTENT_LENGTH.findall(head)}
        if len(values) == 1 and _DIGITS.fullmatch(value := values.pop()) and int(value) <= len(body):
            return message[: len(head) + len(HEAD_END) + int(value)]  # what follows is no part of it (§18.3)
        return b"%b\r\nContent-Length: %d\r\n\r\n%b" % (_CONTENT_LENGTH.sub(b"", head), len(body), body)

    def farewell(self, _reason: str, /) -> bytes:
        return b""

    def _next(self) -> bytes:
        if not self._size and not self._read_head():
            return b""
        if len(self._held) < self._size:
            return b""
        message = bytes(self._held[: self._size])
        del self._held[: self._size]
        self._size = self._looked = 0
        return message

    def _read_head(self) -> bool:
        """Whether a head is whole; then `_size` is known."""
        if not self._looked and not self._begins():
            return False
        end = self._held.find(HEAD_END, max(0, self._looked - len(HEAD_END) + 1))
        if end < 0:
            self._looked = len(self._held)
            if self._looked > self._limit:
                raise self._refuse("Message Too Large", TOO_LARGE)
            return False
        self._size = self._whole_size(end)
        return True

    def _begins(self) -> bool:
        """Whether a message begins; what stands before it is gone. ChannelError."""
        if self._held and self._held[0] in BLANK:
            self._skip_blank()
        if _FIRST_OCTET.match(self._held):
            return True
        if self._held.strip(BLANK):
            raise ChannelError("Octets That Are No SIP Message")
        return False

    def _skip_blank(self) -> None:
        """Drop what stands before a message, but for the beginning of a ping; answer each ping."""
        rest = self._held.lstrip(BLANK)
        *pings, blank = self._held[: len(self._held) - len(rest)].split(PING)
        self._said += PONG * len(pings)
        if not rest and (part := _PART_OF_PING.search(blank)):
            rest = bytearray(part[0])
        self._held = rest

    def _whole_size(self, end: int) -> int:
        """Return how long the message is whose head ends at `end`. ChannelError."""
        body = end + len(HEAD_END)
        if body > self._limit:
            raise self._refuse("Message Too Large", TOO_LARGE)
        values = {value.strip() for value in _CONTENT_LENGTH.findall(self._held, 0, end)}
        if not values:
            raise self._refuse("Missing Content-Length Header Field")
        if len(values) > 1:
            raise self._refuse("More Than One Content-Length Header Field")
        (value,) = values
        if not _DIGITS.fullmatch(value):
            raise self._refuse("Malformed Content-Length")
        if body + int(value) > self._limit:
            raise self._refuse("Message Too Large", TOO_LARGE)
        return body + int(value)

    def _refuse(self, reason: str, status: int = 400) -> ChannelError:
        head = bytes(self._held[: self._limit]).partition(HEAD_END)[0]
        return ChannelError(reason, refused=_CONTENT_LENGTH.sub(b"", head) + HEAD_END, status=status)
