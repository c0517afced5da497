"""Look-ups over the index, and both twins of them on everything that can be scanned."""

from array import array
from collections.abc import Iterable

import pytest
from compiled import needs_compiled_core
from hypothesis import given, settings
from sip.messages import TORTURE, anything, mutations

from switchboard.sip import fields
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.scan import FIRST_HEADER, HEADER_WIDTH, scan

REST = b"From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 INFO\r\n"


def message(lines: bytes) -> tuple[bytes, "array[int]"]:
    raw = b"INFO sip:b@h SIP/2.0\r\n" + lines + REST + b"\r\n"
    return raw, array("H", scan(raw))


@pytest.mark.parametrize("value", [fields.value, fields.value_in_python])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"Subject: x\r\n", None),
        (b"User-Agent: a b\r\n", b"a b"),
        (b"User-Agent: \x0b \t a \x0c\r\n", b"a"),
        (b"User-Agent:\r\n", b""),
        (b"User-Agent: \r\n \t\r\n", b""),
        (b"User-Agent: a \t\r\n\t b\r\n\tc\r\n", b"a b c"),
        (b"User-Agent: b \r\n \r\n\t\r\n c\r\n", b"b c"),
        (b"User-Agent: first\r\nUser-Agent: second\r\n", b"first"),
    ],
)
def test_values_are_trimmed_and_unfolded(value: object, line: bytes, expected: bytes | None) -> None:
    assert callable(value)
    assert value(*message(b"v: h\r\n" + line), Header.USER_AGENT) == expected


@pytest.mark.parametrize("text", [fields.text, fields.text_in_python])
def test_text_can_be_written_back(text: object) -> None:
    assert callable(text)
    raw = "Žilina".encode() + b" \xff"
    found = text(*message(b"v: h\r\nUser-Agent: " + raw + b"\r\n"), Header.USER_AGENT)
    assert found.encode("utf-8", "surrogateescape") == raw
    assert text(*message(b"v: h\r\n"), Header.USER_AGENT) is None


@pytest.mark.parametrize("top_via_span", [fields.top_via_span, fields.top_via_span_in_python])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"Via: one\r\nVia: two\r\n", b"one"),
        (b"v:  one , two\r\n", b"one"),
        (b'Via: one;x="a,\\",b" ,two\r\n', b'one;x="a,\\",b"'),
        (b'Via: one;x="open, two\r\n', b'one;x="open'),
        (b"Via:\r\n one\r\n ;y,two\r\n", b"one\r\n ;y"),
        (b"Via: ,two\r\n", b""),
        (b"Via:\r\n", b""),
    ],
)
def test_the_top_via_ends_at_the_comma(top_via_span: object, line: bytes, expected: bytes) -> None:
    assert callable(top_via_span)
    raw, index = message(line)
    start, end = top_via_span(raw, index)
    assert raw[start:end] == expected


def agree(raws: Iterable[bytes]) -> None:
    for raw in raws:
        try:
            index = array("H", scan(raw))
        except ParseError:
            continue
        assert fields.top_via_span(raw, index) == fields.top_via_span_in_python(raw, index), raw
        for number in index[FIRST_HEADER::HEADER_WIDTH]:
            assert fields.value_span(raw, index, number) == fields.value_span_in_python(raw, index, number), (
                raw
            )
        for number in (*Header, 99):
            assert fields.value(raw, index, number) == fields.value_in_python(raw, index, number), raw
            assert fields.text(raw, index, number) == fields.text_in_python(raw, index, number), raw


@needs_compiled_core
@given(anything())
@settings(max_examples=200, deadline=None)
def test_twins_agree(raw: bytes) -> None:
    agree([raw])


@needs_compiled_core
def test_twins_agree_on_what_is_spoilt() -> None:
    for number, raw in enumerate(TORTURE):
        agree(mutations(raw, 10, seed=number))


@needs_compiled_core
def test_the_compiled_twins_are_taken() -> None:
    assert fields.value is not fields.value_in_python
    assert fields.text is not fields.text_in_python
    assert fields.top_via_span is not fields.top_via_span_in_python


@needs_compiled_core
def test_an_index_of_another_message_is_read_within_bounds() -> None:
    """It never comes so; the twin must not trust that it does not."""
    raw, index = message(b"v: h\r\n")
    for size in range(len(raw)):
        for number in Header:
            assert fields.value(raw[:size], index, number) == fields.value_in_python(
                raw[:size], index, number
            )
    assert fields.value(raw, array("H", [0] * 7), Header.VIA) is None
