"""What a datagram at the SIP port is, before it is scanned: most are messages, some only keep a path open.

Empty lines before a start line mean nothing (RFC 3261 §7.5); CRLFCRLF is a ping that wants CRLF as its pong
(RFC 5626 §3.5.1, §4.4.1); phones also send a few zero bytes; STUN (RFC 8489) shares the port (RFC 5626
§4.4.2).
"""

import re
from enum import Enum, auto
from typing import Final

PING: Final = b"\r\n\r\n"
PONG: Final = b"\r\n"

_BLANK: Final = b"\r\n\0 \t"
_STUN_HEADER_BYTES: Final = 20
_STUN_COOKIE: Final = b"\x21\x12\xa4\x42"
_STUN_BINDING_REQUEST: Final = b"\0\1"  # of RFC 3489, without the cookie
_REQUEST_LINE: Final = re.compile(rb"(?!SIP/)[^\r\n]*[ \t]SIP/[^ \t\r\n]*[ \t]*(?:[\r\n]|\Z)", re.IGNORECASE)


class DatagramKind(Enum):
    """What to do with a datagram: scan a MESSAGE, answer a PING, take the others silently."""

    MESSAGE = auto()
    PING = auto()
    KEEP_ALIVE = auto()
    STUN = auto()


def classify(data: bytes) -> DatagramKind:
    """Return what `data` (untrusted) is; whatever is none of the others counts as a MESSAGE."""
    if data[:1].isalpha():
        return DatagramKind.MESSAGE
    if data == PING:
        return DatagramKind.PING
    if not data.strip(_BLANK):
        return DatagramKind.KEEP_ALIVE
    if len(data) >= _STUN_HEADER_BYTES and (data[4:8] == _STUN_COOKIE or data[:2] == _STUN_BINDING_REQUEST):
        return DatagramKind.STUN
    return DatagramKind.MESSAGE


def strip_empty_lines(data: bytes) -> bytes:
    """Return `data` from its start line on (RFC 3261 §7.5)."""
    return data.lstrip(b"\r\n")


def looks_like_request(raw: bytes) -> bool:
    """Whether bytes that could not be scanned were meant as a request, so that 400 is due, not silence."""
    return _REQUEST_LINE.match(raw) is not None
