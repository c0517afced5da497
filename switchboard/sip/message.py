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
    from switchboard._native.wire import know, row_of
except ImportError:
    know = None  # type: ignore[assignment]
    row_of = partial(array, "H")

_CSEQ = re.compile(r"([0-9]{1,10})[ \t]+([A-Za-z0-9\-.!%*_+`'~]+)")
_TAG = re.compile(r";[ \t]*tag[ \t]*=[ \t]*([^; \t]+)", re.IGNORECASE)


class Message:
    """One SIP message: `raw` bytes and where things stand in them.

    Text is decoded as UTF-8 with surrogateescape, so whatever came can be written back.
    Values are trimmed and unfolded. Neither `raw` nor `index` is ever changed.

    `numbers`: the fields' numbers, an octet each, in order. `method`: of a response the one its CSeq names.
    `uri`: the Request-URI as received; of a response the reason phrase. `cseq`: sequence number and method,
    (-1, "") if the field is malformed (§20.16). `from_uri`, `to_uri`: the URIs in From and To, "" if the
    field is malformed. `from_tag`, `to_tag`: their tags, "" if there is none or the field is malformed.
    """

    __slots__ = (
        "_first_via", "_via", "call_id", "cseq", "from_tag", "from_uri", "index", "method", "numbers", "raw",
        "status", "to_tag", "to_uri", "uri",
    )  # fmt: skip

    def __init__(self, raw: bytes, index: bytes) -> None:
        self.raw = raw
        self.index = row_of(index)
        self.status: int = self.index[STATUS]
        self._first_via: tuple[int, int] | None = None
        self._via: Via | None = None
        if know is None or not know(self):
            self._work_out()

    def _work_out(self) -> None:
        """Find what every message is asked for; the reference of what its compiled twin knows at once."""
        self.numbers = bytes(self.index[FIRST_HEADER::HEADER_WIDTH].tolist())
        self.call_id = self.get(Header.CALL_ID) or ""
        self.cseq = _sequence(self.get(Header.CSEQ) or "")
        self.method = self.cseq[1] if self.status else text_of(self.raw[: self.index[METHOD_END]])
        self.uri = text_of(self.raw[self.index[URI_START] : self.index[URI_END]])
        self.from_uri, self.from_tag = _uri_and_tag(self.get(Header.FROM) or "")
        self.to_uri, self.to_tag = _uri_and_tag(self.get(Header.TO) or "")

    @property
    def is_request(self) -> bool:
        return not self.status

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
        text = self._only(name)
        return list(self._texts(name)) if text is None else [text]

    def values(self, name: str | Header) -> list[str]:
        """The comma-separated values of all fields called `name`, in order, without empty ones (§7.3.1)."""
        text = self._only(name)
        if text is not None:
            return [value for value in split_values(text) if value]
        return [value for text in self._texts(name) for value in split_values(text) if value]

    def _only(self, name: str | Header) -> str | None:
        """Text of the field numbered `name` if there is exactly one."""
        if isinstance(name, Header) and name and self.numbers.count(name) == 1:
            return fields.text(self.raw, self.index, name)
        return None

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

    @property
    def top_via_span(self) -> tuple[int, int]:
        """Start and end of the topmost Via value, however many share its line."""
        if self._first_via is None:
            self._first_via = fields.top_via_span(self.raw, self.index)
        return self._first_via

    @property
    def first_via_line(self) -> tuple[int, int]:
        """Start and end (CRLF included) of the line in which the topmost Via value stands."""
        return self._line(self.numbers.index(Header.VIA))

    @property
    def top_via(self) -> str:
        start, end = self.top_via_span
        return text_of(unfold(self.raw[start:end]))

    @property
    def via(self) -> Via:
        """The topmost Via; `ParseError` if it is malformed, or in a request another one in the same line."""
        if self._via is None:
            self._via = Via.parse(self.top_via)
            if self.is_request:
                self._check_first_via_line()
        return self._via

    def _check_first_via_line(self) -> None:
        for value in split_values(self.get(Header.VIA) or "")[1:]:
            if value:
                Via.parse(value)

    @property
    def from_address(self) -> NameAddr:
        """What stands in From; `ParseError` if it is malformed."""
        return NameAddr.parse(self.get(Header.FROM) or "")

    @property
    def to_address(self) -> NameAddr:
        """What stands in To; `ParseError` if it is malformed."""
        return NameAddr.parse(self.get(Header.TO) or "")

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
        return text_of(self.raw[start : self.raw.index(b":", start)]).strip(" \t").lower()

    def _value_at(self, position: int) -> bytes:
        at = FIRST_HEADER + position * HEADER_WIDTH
        return unfold(self.raw[self.index[at + 2] : self.index[at + 3]].strip())

    def _line(self, position: int) -> tuple[int, int]:
        at = FIRST_HEADER + position * HEADER_WIDTH
        return self.index[at + 1], self.index[at + 3] + 2


def _sequence(text: str) -> tuple[int, str]:
    match = _CSEQ.fullmatch(text)
    return (int(match[1]), match[2]) if match else (-1, "")


def _uri_and_tag(text: str) -> tuple[str, str]:
    try:
        address = NameAddr.parse(text)
    except ParseError:
        return "", _tag(text)
    return address.uri, _word(address.param("tag") or "")


def _word(text: str) -> str:
    """What comes before the first blank."""
    return text.partition(" ")[0].partition("\t")[0]


def _tag(text: str) -> str:
    """The tag of an address that is malformed elsewhere."""
    if '"' in text or "<" not in text:
        return ""
    match = _TAG.search(text, text.rfind(">"))
    return match[1] if match else ""


def parse_message(raw: bytes) -> Message:
    """Scan `raw` (untrusted) and return the message; `ParseError` if it breaks the grammar."""
    return Message(raw, scan(raw))
