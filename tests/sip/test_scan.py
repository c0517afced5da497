"""The scanner: RFC 3261 §7, §18.3."""

from array import array
from contextlib import suppress

import pytest
from compiled import needs_compiled_core, outcome
from hypothesis import example, given, settings
from sip.messages import TORTURE, anything, mutations, requests

from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.scan import (
    BODY_END,
    BODY_START,
    FIRST_HEADER,
    HEADER_WIDTH,
    HEADERS_END,
    HEADERS_START,
    LARGEST,
    METHOD_END,
    STATUS,
    URI_END,
    URI_START,
    scan,
    scan_in_python,
)

with suppress(ImportError):
    from switchboard._native import wire

HEAD = b"Via: SIP/2.0/UDP h\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 INFO\r\n"
REQUEST = b"INFO sip:b@h SIP/2.0\r\n" + HEAD
RESPONSE = b"SIP/2.0 200 Fine by me\r\n" + HEAD


def index_of(data: bytes) -> "array[int]":
    return array("H", scan(data))


def numbers_of(data: bytes) -> list[int]:
    return index_of(data)[FIRST_HEADER::HEADER_WIDTH].tolist()


def test_request() -> None:
    data = REQUEST + b"\r\nbody"
    index = index_of(data)
    assert index[STATUS] == 0
    assert data[: index[METHOD_END]] == b"INFO"
    assert data[index[URI_START] : index[URI_END]] == b"sip:b@h"
    assert data[index[HEADERS_START] : index[HEADERS_END]] == HEAD
    assert data[index[BODY_START] : index[BODY_END]] == b"body"


def test_response() -> None:
    data = RESPONSE + b"\r\n"
    index = index_of(data)
    assert (index[STATUS], index[METHOD_END]) == (200, 0)
    assert data[index[URI_START] : index[URI_END]] == b"Fine by me"
    assert index[BODY_START] == index[BODY_END] == len(data)


def test_header_fields() -> None:
    data = REQUEST + b"X-Odd \t: one\r\n\ttwo \r\nl:0\r\n\r\n"
    at = FIRST_HEADER + 5 * HEADER_WIDTH
    number, start, value_start, value_end = index_of(data)[at : at + HEADER_WIDTH]
    assert number == Header.OTHER
    assert data[start : value_end + 2] == b"X-Odd \t: one\r\n\ttwo \r\n"
    assert data[value_start:value_end] == b"one\r\n\ttwo "


@pytest.mark.parametrize(
    ("line", "number"),
    [
        (b"via: x", Header.VIA),
        (b"v: x", Header.VIA),
        (b"V : x", Header.VIA),
        (b"m: x", Header.CONTACT),
        (b"Contact:", Header.CONTACT),
        (b"k: x", Header.SUPPORTED),
        (b"o: x", Header.EVENT),
        (b"c: x", Header.CONTENT_TYPE),
        (b"rOUTE: x", Header.ROUTE),
        (b"Record-Route: x", Header.RECORD_ROUTE),
        (b"Subject: x", Header.OTHER),
        (b"s:", Header.OTHER),
        (b"!%*_+`'~: x", Header.OTHER),
    ],
)
def test_names(line: bytes, number: Header) -> None:
    assert numbers_of(REQUEST + line + b"\r\n\r\n")[5:] == [number]


@pytest.mark.parametrize(
    "start",
    [
        b"INFO sip:b@h sip/2.0",
        b"!odd.%indeed'~ anything-without-space SIP/2.0",
        b"SIP/2.0 100 ",
        b"sip/2.0 699 x",
        b"SIP/2.0 200 \xd0\xbd\xff\x01",
    ],
)
def test_start_lines(start: bytes) -> None:
    scan(start + b"\r\n" + HEAD + b"\r\n")


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (b"", 400),
        (b"INFO sip:b@h", 400),
        (b"INFO  sip:b@h SIP/2.0", 400),
        (b"INFO sip:b@h  SIP/2.0", 400),
        (b"INFO sip:b@h SIP/2.0 ", 400),
        (b"INFO sip:b@h; lr SIP/2.0", 400),
        (b" INFO sip:b@h SIP/2.0", 400),
        (b"IN@FO sip:b@h SIP/2.0", 400),
        (b"INFO SIP/2.0", 400),
        (b"INFO sip:b@h HTTP/1.1", 400),
        (b"INFO sip:b@h SIP/2.0\n", 400),
        (b"INFO sip:b\0@h SIP/2.0", 400),
        (b"SIP/2.0 200", 400),
        (b"SIP/2.0 2000 x", 400),
        (b"SIP/2.0 4294967301 x", 400),
        (b"SIP/2.0 099 x", 400),
        (b"SIP/2.0 700 x", 400),
        (b"SIP/2.0 200 x\ny", 400),
        (b"INFO sip:b@h SIP/7.0", 505),
        (b"INFO sip:b@h SIP/2.1", 505),
        (b"INFO sip:b@h SIP/2.00", 505),
    ],
)
def test_bad_start_lines(start: bytes, status: int) -> None:
    with pytest.raises(ParseError) as caught:
        scan(start + b"\r\n" + HEAD + b"\r\n")
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (b"no colon\r\n", "Malformed Header Line"),
        (b": no name\r\n", "Malformed Header Line"),
        (b"X: bare\nline feed\r\n", "Malformed Header Line"),
        (b"X: bare\rreturn\r\n", "Malformed Header Line"),
        (b"X\0: nul\r\n", "Malformed Header Line"),
        (b"Max-Forwards: 1\r\nMax-Forwards: 1\r\n", "More Than One Max-Forwards Header Field"),
        (b"i: again\r\n", "More Than One Call-ID Header Field"),
        (b"f: <sip:a@h>\r\n", "More Than One From Header Field"),
        (b"t: <sip:a@h>\r\n", "More Than One To Header Field"),
        (b"CSEQ: 1 INFO\r\n", "More Than One CSeq Header Field"),
        (b"l: 0\r\nContent-Length: 0\r\n", "More Than One Content-Length Header Field"),
        (b"l: 1\r\n", "Content-Length Beyond The Datagram"),
        (b"l:\r\n", "Malformed Content-Length"),
        (b"l: -1\r\n", "Malformed Content-Length"),
        (b"l: +0\r\n", "Malformed Content-Length"),
        (b"l: 0x0\r\n", "Malformed Content-Length"),
        (b"l: 0 0\r\n", "Malformed Content-Length"),
        (b"l: \xd9\xa0\r\n", "Malformed Content-Length"),
        (b"l: 99999999999999999999\r\n", "Malformed Content-Length"),
    ],
)
def test_bad_fields(lines: bytes, reason: str) -> None:
    with pytest.raises(ParseError, match=f"^{reason}$"):
        scan(REQUEST + lines + b"\r\n")


@pytest.mark.parametrize("name", [b"Via", b"From", b"To", b"Call-ID", b"CSeq"])
def test_missing_fields(name: bytes) -> None:
    kept = [line for line in REQUEST.splitlines(keepends=True) if not line.startswith(name)]
    with pytest.raises(ParseError) as caught:
        scan(b"".join(kept) + b"\r\n")
    assert caught.value.reason == f"Missing {name.decode()} Header Field"
    assert caught.value.header == name.decode()


@pytest.mark.parametrize("end", [0, 1, 5])
def test_missing_empty_line(end: int) -> None:
    """A header that is cut, at the end of a line or within one."""
    with pytest.raises(ParseError):
        scan(REQUEST[: len(REQUEST) - end])


@pytest.mark.parametrize(
    ("length", "body"),
    [(b"4", b"body"), (b" 0002 ", b"bo"), (b"0", b""), (b"\r\n 3", b"bod")],
)
def test_octets_behind_the_body_are_left_out(length: bytes, body: bytes) -> None:
    data = REQUEST + b"Content-Length:" + length + b"\r\n\r\nbody"
    index = index_of(data)
    assert data[index[BODY_START] : index[BODY_END]] == body


def test_largest_message() -> None:
    start = REQUEST + b"\r\n"
    assert index_of(start + bytes(LARGEST - len(start)))[BODY_END] == LARGEST
    with pytest.raises(ParseError) as caught:
        scan(start + bytes(LARGEST + 1 - len(start)))
    assert caught.value.status == 513


@given(requests())
@settings(max_examples=30, deadline=None)
def test_well_formed_message_is_taken(data: bytes) -> None:
    scan(data)


@given(anything())
@settings(max_examples=100, deadline=None)
@example(b"")
@example(REQUEST + b"X:" + b"\r\n " * 2000)
@example(b"A" * 20_000)
@example(b"INFO " + b"a SIP/" * 5000 + b"\r\n")
def test_offsets_are_in_order(data: bytes) -> None:
    """Whatever comes is refused with a `ParseError`, or its offsets lie in it, one behind the other."""
    with suppress(ParseError):
        index = index_of(data)
        assert (
            index[METHOD_END]
            <= index[URI_START]
            <= index[URI_END]
            < index[HEADERS_START]
            <= index[HEADERS_END]
            < index[BODY_START]
            <= index[BODY_END]
            <= len(data)
        )
        position = index[HEADERS_START]
        for at in range(FIRST_HEADER, len(index), HEADER_WIDTH):
            _, start, value_start, value_end = index[at : at + HEADER_WIDTH]
            assert start == position
            assert start < value_start <= value_end
            position = value_end + 2
        assert position == index[HEADERS_END]


@needs_compiled_core
@given(anything())
@settings(max_examples=500, deadline=None)
@example(REQUEST + b"X:" + b"\r\n " * 2000 + b"\r\n\r\n")
@example(REQUEST + b"a:\r\n" * 16_000 + b"\r\n")
def test_twins_agree(data: bytes) -> None:
    assert outcome(scan, data) == outcome(scan_in_python, data)


@needs_compiled_core
@pytest.mark.parametrize("number", range(len(TORTURE)))
def test_twins_agree_on_what_is_spoilt(number: int) -> None:
    for data in (TORTURE[number], *mutations(TORTURE[number], 100, seed=number)):
        assert outcome(scan, data) == outcome(scan_in_python, data), data


@needs_compiled_core
def test_the_compiled_twin_takes_what_is_well_formed() -> None:
    """And does not leave it to the reference."""
    assert [wire.scan(data) for data in (REQUEST + b"\r\n", RESPONSE + b"X:y\r\n z\r\n\r\nbody")] == [
        scan_in_python(data) for data in (REQUEST + b"\r\n", RESPONSE + b"X:y\r\n z\r\n\r\nbody")
    ]
