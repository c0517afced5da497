"""Looks header fields up in a scanned message: where a value stands, trimmed and unfolded (RFC 3261 §7.3.1).

Every function takes the raw message and its offset index as an array of unsigned 16-bit numbers. Those that
end in `_in_python` are the references of their compiled twins, or stand in for them.
"""

import re
from array import array

from switchboard.sip.headers import Header
from switchboard.sip.scan import FIRST_HEADER, HEADER_WIDTH

Index = array  # of type code "H"

_FOLD = re.compile(rb"(?<![ \t])(?>(?:[ \t]*+\r\n[ \t]++)+)")
_VIA_VALUE = re.compile(rb'(?>(?:[^",]++|"(?>(?:[^"\\]++|\\.)*)")*)(?:"[^,]*+)?', re.DOTALL)
"""A quote that is never closed is an octet like others."""


def value_in_python(raw: bytes, index: "Index[int]", number: int) -> bytes | None:
    """Return the first field numbered `number`, trimmed and unfolded; None if there is none."""
    try:
        position = index[FIRST_HEADER::HEADER_WIDTH].index(number)
    except ValueError:
        return None
    at = FIRST_HEADER + position * HEADER_WIDTH
    return unfold(raw[index[at + 2] : index[at + 3]].strip())


def text_in_python(raw: bytes, index: "Index[int]", number: int) -> str | None:
    """Return the same as text: UTF-8 with surrogateescape."""
    value = value_in_python(raw, index, number)
    return None if value is None else text_of(value)


def top_via_span_in_python(raw: bytes, index: "Index[int]") -> tuple[int, int]:
    """Return start and end of the topmost Via value, however many share its line. ValueError: no Via."""
    start, end = value_span_in_python(raw, index, Header.VIA)
    match = _VIA_VALUE.match(raw, start, end)
    return _trim(raw, start, match.end() if match else end)


def value_span_in_python(raw: bytes, index: "Index[int]", number: int) -> tuple[int, int]:
    """Return start and end of the first value of field `number`, trimmed. ValueError if there is none."""
    at = FIRST_HEADER + index[FIRST_HEADER::HEADER_WIDTH].index(number) * HEADER_WIDTH
    return _trim(raw, index[at + 2], index[at + 3])


def unfold(value: bytes) -> bytes:
    """Return a trimmed value in one line."""
    return _FOLD.sub(b" ", value) if b"\n" in value else value


def text_of(value: bytes) -> str:
    """Return `value` decoded so that whatever came can be written back."""
    return value.decode("utf-8", "surrogateescape")


def _trim(raw: bytes, start: int, end: int) -> tuple[int, int]:
    text = raw[start:end]
    start += len(text) - len(text.lstrip())
    return start, start + len(text.strip())


try:
    from switchboard._native.wire import text as text
    from switchboard._native.wire import top_via_span as top_via_span
    from switchboard._native.wire import value as value
    from switchboard._native.wire import value_span as value_span
except ImportError:
    text, top_via_span = text_in_python, top_via_span_in_python
    value, value_span = value_in_python, value_span_in_python
