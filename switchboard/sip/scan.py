"""Scans a datagram into offsets (RFC 3261 §7, §18.3): no copy, no text, one pass.

The result is a row of unsigned 16-bit numbers, packed in the machine's byte order:

    0 status      0 for a request
    1 method end  of a request (the method starts at 0); of a response: 0
    2, 3          start and end of the Request-URI, or of the reason phrase
    4 headers     start of the first header line
    5 headers end start of the empty line
    6, 7          start and end of the body, trailing octets left out (§18.3)

and then four numbers for each header field, in order: its number in `headers.Header`, the start of
its line, the start and the end of its value (white space around it and folding left in place).

The reference is `scan_in_python`; `scan` is its compiled twin where there is one.

Bare CR or LF, a line without a name and a colon, and a wrong Content-Length are the sender's errors. A field name that
is not a token counts as an unknown field.
"""

import re
from array import array
from typing import Final

from switchboard.sip.errors import ParseError
from switchboard.sip.headers import NUMBER_BY_WIRE_NAME, Header

STATUS, METHOD_END, URI_START, URI_END, HEADERS_START, HEADERS_END, BODY_START, BODY_END = range(8)
FIRST_HEADER: Final = 8
HEADER_WIDTH: Final = 4
LARGEST: Final = 65_535

_TOKEN = rb"[A-Za-z0-9\-.!%*_+`'~]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([^ \t\r\n\x00]+) SIP/2\.0\r\n", re.IGNORECASE)
_STATUS_LINE = re.compile(rb"SIP/2\.0 ([1-6][0-9][0-9]) ([^\r\n]*)\r\n", re.IGNORECASE)
_OTHER_VERSION = re.compile(rb"[^\r\n]* SIP/(?!2\.0\r)[0-9]+\.[0-9]+\r\n", re.IGNORECASE)
_HEADER_LINE = re.compile(
    rb"([^\x00-\x20\x7f:][^\x00-\x08\x0a-\x1f\x7f:]*+):[ \t]*+([^\r\n]*+(?>(?:\r\n[ \t][^\r\n]*+)*))\r\n",
)
_ONCE: Final = (
    (Header.FROM, "From"),
    (Header.TO, "To"),
    (Header.CALL_ID, "Call-ID"),
    (Header.CSEQ, "CSeq"),
    (Header.MAX_FORWARDS, "Max-Forwards"),
    (Header.CONTENT_LENGTH, "Content-Length"),
)


def scan_in_python(data: bytes) -> bytes:
    """Return the packed offset index of the message in `data` (untrusted); `ParseError` if it is none."""
    if len(data) > LARGEST:
        raise ParseError("Message Too Large", status=513)
    index = _start_line(data)
    end = _header_lines(data, index)
    index[HEADERS_END] = end
    index[BODY_START] = end + 2
    index[BODY_END] = _body_end(data, index)
    _check_fields(index)
    return index.tobytes()


def _start_line(data: bytes) -> "array[int]":
    if match := _STATUS_LINE.match(data):
        return array("H", (int(match[1]), 0, *match.span(2), match.end(), 0, 0, 0))
    if match := _REQUEST_LINE.match(data):
        return array("H", (0, match.end(1), *match.span(2), match.end(), 0, 0, 0))
    if _OTHER_VERSION.match(data):
        raise ParseError("Version Not Supported", status=505)
    raise ParseError("Malformed Start Line")


def _header_lines(data: bytes, index: "array[int]") -> int:
    position = index[HEADERS_START]
    known = NUMBER_BY_WIRE_NAME
    match_line = _HEADER_LINE.match
    numbers: list[int] = []
    while match := match_line(data, position):
        number = known.get(match[1].rstrip().lower(), 0)
        numbers += (number, position, match.start(2), match.end(2))
        position = match.end()
    index.extend(numbers)
    if data.startswith(b"\r\n", position):
        return position
    if position >= len(data):
        raise ParseError("Missing Empty Line After Header")
    raise ParseError("Malformed Header Line")


def _body_end(data: bytes, index: "array[int]") -> int:
    numbers = index[FIRST_HEADER::HEADER_WIDTH]
    try:
        at = FIRST_HEADER + numbers.index(Header.CONTENT_LENGTH) * HEADER_WIDTH
    except ValueError:
        return len(data)
    value = data[index[at + 2] : index[at + 3]].strip()
    if not value.isdigit() or len(value) > 10:
        raise ParseError("Malformed Content-Length", "Content-Length")
    end = index[BODY_START] + int(value)
    if end > len(data):
        raise ParseError("Content-Length Beyond The Datagram", "Content-Length")
    return end


def _check_fields(index: "array[int]") -> None:
    numbers = index[FIRST_HEADER::HEADER_WIDTH]
    for number, name in _ONCE:
        count = numbers.count(number)
        if count > 1:
            raise ParseError(f"More Than One {name} Header Field", name)
        if not count and number not in (Header.MAX_FORWARDS, Header.CONTENT_LENGTH):
            raise ParseError(f"Missing {name} Header Field", name)
    if Header.VIA not in numbers:
        raise ParseError("Missing Via Header Field", "Via")


try:
    from switchboard._native.wire import scan as _scan
except ImportError:
    scan = scan_in_python
else:

    def scan(data: bytes) -> bytes:
        """Return the packed offset index of the message in `data` (untrusted); `ParseError` if it is none."""
        return _scan(data) or scan_in_python(data)
