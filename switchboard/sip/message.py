"""A SIP message over its bytes: looked at through the offset index, never taken apart (RFC 3261 §7)."""

import re
from array import array
from collections.abc import Iterator
from functools import partial

from switchboard.sip import fields
from switchboard.sip.address import NameAddr, split_values
from switchboard.sip.errors import ParseError
from switchboard.sip.fields import text_of, unfold
from switchboard.sip.headers import COMPACT, HEADER_BY_NAME, Header
from switchboard.sip.lazy import lazy
from switchboard.sip.scan import (
    BODY_END,
    BODY_START,
    FIRST_HEADER,
    HEADER_WIDTH,
    HEADERS_END,
    HEADERS_START,
    METHOD_END,
    STATUS,
    URI_END,
    URI_START,
    scan,
)
from switchboard.sip.via import Via

try:
    from switchboard.sip._message import know, row_of
except ImportError:
    know = None  # type: ignore[assignment]
    row_of = partial(array, "H")

_CSEQ = re.compile(r"([0-9]{1,10})[ \t]+([A-Za-z0-9\-.!%*_+`'~]+)")
_TAG = re.compile(r";\s*tag\s*=\s*([^;\s]+)", re.IGNORECASE)


class Message:
    """One SIP message: `raw` bytes and where things stand in them.

    Text is decoded as UTF-8 with surrogateescape, so whatever came can be written back.
    Values are trimmed and unfolded. What `lazy` marks is worked out when it is asked for; the compiled core
    knows it beforehand where a message is written as most are (`_message.pyx`). Neither `raw` nor `index` is
    ever changed.
    """

    def __init__(self, raw: bytes, index: bytes) -> None:
        self.raw = raw
        self.index = row_of(index)
        self.status: int = self.index[STATUS]
        if know is not None:
            know(vars(self), raw, self.index)

    @property
    def is_request(self) -> bool:
        return not self.status

    @lazy
    def numbers(self) -> bytes:
        """The fields' numbers, an octet each, in order."""
        return bytes(self.index[FIRST_HEADER::HEADER_WIDTH].tolist())

    @lazy
    def method(self) -> str:
        """The request's method; of a response: the one its CSeq names."""
        return self.cseq[1] if self.status else text_of(self.raw[: self.index[METHOD_END]])

    @lazy
    def uri(self) -> str:
        """The Request-URI as received; of a response: the reason phrase stands there."""
        return text_of(self.raw[self.index[URI_START] : self.index[URI_END]])

    @property
    def reason(self) -> str:
        """The reason phrase of a response."""
        return self.uri

    @property
    def body(self) -> bytes:
        return self.raw[self.index[BODY_START] : self.index[BODY_END]]

    @property
    def headers_start(self) -> int:
        return self.index[HEADERS_START]

    @property
    def headers_end(self) -> int:
        return self.index[HEADERS_END]

    def value(self, number: int) -> bytes | None:
        """The first field numbered `number`, trimmed and unfolded; None if there is none."""
        return fields.value(self.raw, self.index, number)

    def get(self, name: str | Header) -> str | None:
        """Text of the first field called `name`; None if there is none.

        Any case; a field with a number is found by its long and its compact name.
        """
        if isinstance(name, Header) and name:
            return fields.text(self.raw, self.index, name)
        return next(self._texts(name), None)

    def all(self, name: str | Header) -> list[str]:
        """Text of every field called `name`, in order."""
        return list(self._texts(name))

    def values(self, name: str | Header) -> list[str]:
        """The comma-separated values of all fields called `name`, in order (RFC 3261 §7.3.1).

        ParseError, naming the field, for a quoted string or bracket that is never closed.
        """
        try:
            return [value for text in self._texts(name) for value in split_values(text)]
        except ParseError as error:
            field = name.name.replace("_", "-") if isinstance(name, Header) else name
            raise ParseError(f"Malformed {field.title()}", field.title()) from error

    def lines(self, number: int) -> list[tuple[int, int]]:
        """Start and end (CRLF included) of each line, folds included, of the fields numbered `number`."""
        found = []
        position = self.numbers.find(number)
        while position >= 0:
            found.append(self._line(position))
            position = self.numbers.find(number, position + 1)
        return found

    def value_span(self, number: int) -> tuple[int, int]:
        """Start and end of the first value of field `number`, white space around it left out.

        `ValueError` if there is no such field.
        """
        return fields.value_span(self.raw, self.index, number)

    @lazy
    def top_via_span(self) -> tuple[int, int]:
        """Start and end of the topmost Via value, however many share its line."""
        return fields.top_via_span(self.raw, self.index)

    @lazy
    def first_via_line(self) -> tuple[int, int]:
        """Start and end (CRLF included) of the line in which the topmost Via value stands."""
        return self._line(self.numbers.index(Header.VIA))

    @lazy
    def top_via(self) -> str:
        start, end = self.top_via_span
        return text_of(unfold(self.raw[start:end]))

    @lazy
    def via(self) -> Via:
        """The topmost Via; `ParseError` if it is malformed."""
        return Via.parse(self.top_via)

    @lazy
    def call_id(self) -> str:
        return self.get(Header.CALL_ID) or ""

    @lazy
    def cseq(self) -> tuple[int, str]:
        """Sequence number and method; (-1, "") if the field is malformed (RFC 3261 §20.16)."""
        match = _CSEQ.fullmatch(self.get(Header.CSEQ) or "")
        return (int(match[1]), match[2]) if match else (-1, "")

    @lazy
    def from_address(self) -> NameAddr:
        """What stands in From; `ParseError` if it is malformed."""
        return NameAddr.parse(self.get(Header.FROM) or "")

    @lazy
    def to_address(self) -> NameAddr:
        """What stands in To; `ParseError` if it is malformed."""
        return NameAddr.parse(self.get(Header.TO) or "")

    @lazy
    def from_tag(self) -> str:
        """The tag in From; "" if there is none or the field is malformed."""
        return self._tag(Header.FROM)

    @lazy
    def to_tag(self) -> str:
        """The tag in To; "" if there is none or the field is malformed."""
        return self._tag(Header.TO)

    def _tag(self, number: Header) -> str:
        text = self.get(number) or ""
        if '"' not in text and "<" in text:
            match = _TAG.search(text, text.rfind(">"))
            return match[1] if match else ""
        try:
            return NameAddr.parse(text).param("tag") or ""
        except ParseError:
            return ""

    def _texts(self, name: str | Header) -> Iterator[str]:
        if not isinstance(name, Header):
            name = name.lower()
            name = COMPACT.get(name, name)
        number = name if isinstance(name, Header) else HEADER_BY_NAME.get(name, Header.OTHER)
        if number and self.numbers.count(number) <= 1:
            text = fields.text(self.raw, self.index, number)
            yield from () if text is None else (text,)
            return
        for position, found in enumerate(self.numbers):
            if found == number and (number or self._name_at(position) == name):
                yield text_of(self._value_at(position))

    def _name_at(self, position: int) -> str:
        start = self.index[FIRST_HEADER + position * HEADER_WIDTH + 1]
        return text_of(self.raw[start : self.raw.index(b":", start)]).strip().lower()

    def _value_at(self, position: int) -> bytes:
        at = FIRST_HEADER + position * HEADER_WIDTH
        return unfold(self.raw[self.index[at + 2] : self.index[at + 3]].strip())

    def _line(self, position: int) -> tuple[int, int]:
        at = FIRST_HEADER + position * HEADER_WIDTH
        return self.index[at + 1], self.index[at + 3] + 2


def parse_message(raw: bytes) -> Message:
    """Scan `raw` (untrusted) and return the message; `ParseError` if it breaks the grammar."""
    return Message(raw, scan(raw))
