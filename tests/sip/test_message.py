"""A message over its bytes: RFC 3261 §7, §20."""

from array import array
from contextlib import suppress

import pytest
from compiled import needs_compiled_core
from hypothesis import given, settings
from sip.messages import TORTURE, anything, known_otherwise, mutations, requests

from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message, parse_message
from switchboard.sip.scan import scan
from switchboard.sip.via import Via

RAW = (
    b"INVITE sip:b@h;x SIP/2.0\r\n"
    b"v: SIP/2.0/UDP one;branch=1 ,\r\n SIP/2.0/UDP two\r\n"
    b"Subject: first\r\n"
    b"VIA: SIP/2.0/UDP three\r\n"
    b'From: "a, b" <sip:a@h>;tag=t1\r\n'
    b"To:\r\n\t<sip:b@h> \r\n"
    b"Call-ID:  c@h \r\n"
    b"CSeq: 0007\r\n  INVITE\r\n"
    b"subject: second\r\n"
    b'Contact: "x, y" <sip:p@h,q>, <sip:q@h>;q=0.5\r\n'
    b"X-Raw: \xff\xc4\x8d\r\n"
    b"l: 3\r\n"
    b"\r\n"
    b"abcdef"
)


def message_with(field: str, value: str) -> Message:
    """A message whose `field` (From, To, CSeq or Via) is `value`."""
    fields = {
        "Via": "SIP/2.0/UDP h",
        "From": "<sip:a@h>",
        "To": "<sip:b@h>",
        "Call-ID": "c",
        "CSeq": "1 INFO",
    }
    lines = [f"{name}: {text}" for name, text in (fields | {field: value}).items()]
    return parse_message("\r\n".join(["INFO sip:b@h SIP/2.0", *lines, "", ""]).encode())


@pytest.fixture
def message() -> Message:
    return parse_message(RAW)


def test_request(message: Message) -> None:
    assert message.is_request
    assert (message.method, message.uri, message.status) == ("INVITE", "sip:b@h;x", 0)
    assert message.call_id == "c@h"
    assert message.cseq == (7, "INVITE")
    assert (message.from_tag, message.to_tag) == ("t1", "")
    assert message.body == b"abc"


def test_response() -> None:
    response = parse_message(RAW.replace(b"INVITE sip:b@h;x SIP/2.0", b"SIP/2.0 486 Obsaden\xc3\xa9"))
    assert not response.is_request
    assert (response.status, response.reason, response.method) == (486, "Obsadené", "INVITE")


def test_header_section(message: Message) -> None:
    section = RAW[message.headers_start : message.headers_end]
    assert section.startswith(b"v: ")
    assert section.endswith(b"l: 3\r\n")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("subject", ["first", "second"]),
        ("SUBJECT", ["first", "second"]),
        ("via", ["SIP/2.0/UDP one;branch=1 , SIP/2.0/UDP two", "SIP/2.0/UDP three"]),
        ("V", ["SIP/2.0/UDP one;branch=1 , SIP/2.0/UDP two", "SIP/2.0/UDP three"]),
        (Header.TO, ["<sip:b@h>"]),
        ("x-raw", ["\udcffč"]),
        ("m", ['"x, y" <sip:p@h,q>, <sip:q@h>;q=0.5']),
        ("route", []),
        ("x-none", []),
    ],
)
def test_fields(message: Message, name: str, values: list[str]) -> None:
    assert message.all(name) == values
    assert message.get(name) == (values[0] if values else None)


def test_comma_separated_values(message: Message) -> None:
    assert message.values("via") == ["SIP/2.0/UDP one;branch=1", "SIP/2.0/UDP two", "SIP/2.0/UDP three"]
    assert message.values("contact") == ['"x, y" <sip:p@h,q>', "<sip:q@h>;q=0.5"]
    assert message.values("route") == []


def test_value_in_bytes(message: Message) -> None:
    assert message.value(Header.CSEQ) == b"0007 INVITE"
    assert message.value(Header.ROUTE) is None


def test_lines(message: Message) -> None:
    lines = [RAW[start:end] for start, end in message.lines(Header.VIA)]
    assert lines == [
        b"v: SIP/2.0/UDP one;branch=1 ,\r\n SIP/2.0/UDP two\r\n",
        b"VIA: SIP/2.0/UDP three\r\n",
    ]


def test_value_span(message: Message) -> None:
    start, end = message.value_span(Header.TO)
    assert RAW[start:end] == b"<sip:b@h>"
    with pytest.raises(ValueError, match="not in"):
        message.value_span(Header.ROUTE)


@pytest.mark.parametrize(
    ("via", "top"),
    [
        ("SIP/2.0/UDP h", "SIP/2.0/UDP h"),
        ("SIP/2.0/UDP h , SIP/2.0/UDP i", "SIP/2.0/UDP h"),
        ('SIP/2.0/UDP h;x="a,\\"b" , SIP/2.0/UDP i', 'SIP/2.0/UDP h;x="a,\\"b"'),
        ("SIP / 2.0\r\n / UDP  h\r\n ;a ", "SIP / 2.0 / UDP  h ;a"),
        ('SIP/2.0/UDP h;x="open, SIP/2.0/UDP i', 'SIP/2.0/UDP h;x="open'),
        (",SIP/2.0/UDP h", ""),
        ("", ""),
        ("\r\n \r\n ", ""),
    ],
)
def test_topmost_via(via: str, top: str) -> None:
    message = message_with("Via", via)
    assert message.top_via == top


@pytest.mark.parametrize("more", ["", ",", ", , SIP/2.0/UDP h2;branch=x"])
def test_more_vias_in_the_first_line(more: str) -> None:
    assert message_with("Via", f"SIP/2.0/UDP h{more}").via == Via("UDP", "h")


@pytest.mark.parametrize("more", [",;", ", nonsense", ", SIP/2.0/UDP h2, SIP/2.0/UDP"])
def test_a_first_line_with_what_is_no_via(more: str) -> None:
    with pytest.raises(ParseError):
        _ = message_with("Via", f"SIP/2.0/UDP h{more}").via


@pytest.mark.parametrize(
    ("cseq", "expected"),
    [
        ("1 INFO", (1, "INFO")),
        ("0009\t\tINFO", (9, "INFO")),
        ("2147483648 INFO", (2147483648, "INFO")),
        ("", (-1, "")),
        ("1", (-1, "")),
        ("INFO", (-1, "")),
        ("1INFO", (-1, "")),
        ("-1 INFO", (-1, "")),
        ("1 INFO x", (-1, "")),
        ("1 IN@FO", (-1, "")),
        ("١ INFO", (-1, "")),
        ("1" * 21 + " INFO", (-1, "")),
    ],
)
def test_cseq(cseq: str, expected: tuple[int, str]) -> None:
    assert message_with("CSeq", cseq).cseq == expected


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("<sip:a@h>;tag=x", "x"),
        ("<sip:a@h>;p=1 ; TAG = x;q", "x"),
        ("sip:a@h;tag=x", "x"),
        ("A B <sip:a@h;tag=uri>;tag=x", "x"),
        ('"<sip:q@h>;tag=quoted" <sip:a@h>;tag=x', "x"),
        ("<sip:a@h;tag=uri>", ""),
        ("<sip:a@h>", ""),
        ("<sip:a@h>;tag", ""),
        ('"open <sip:a@h>;tag=x', ""),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_tags(text: str, tag: str) -> None:
    """A malformed field has no tag; who needs the field itself says what is wrong with it."""
    assert message_with("From", text).from_tag == tag
    assert message_with("To", text).to_tag == tag


@given(requests())
@settings(max_examples=25, deadline=None)
def test_reading_changes_nothing(raw: bytes) -> None:
    message = parse_message(raw)
    index = message.index[:]
    assert message.top_via == "SIP/2.0/UDP 10.0.0.11:5060;branch=z9hG4bKa1;rport" or "," in raw.decode(
        "latin"
    )
    assert (message.cseq, message.call_id, message.from_tag) == ((1, "INFO"), "call-1", "from-1")
    assert (message.raw, message.index) == (raw, index)


@given(anything())
@settings(max_examples=60, deadline=None)
def test_nothing_but_parse_errors(raw: bytes) -> None:
    """Of any datagram, everything can be asked."""
    with suppress(ParseError):
        message = parse_message(raw)
        assert message.method == message.cseq[1] or message.is_request
        assert 0 <= message.top_via_span[0] <= message.top_via_span[1] <= len(raw)
        assert "\r" not in message.top_via
        tags = message.from_tag + message.to_tag
        assert not set(tags) & set(" \r\n;")
        for header in Header:
            assert message.get(header) in (None, *message.all(header))
            message.values(header)


@needs_compiled_core
@given(anything())
@settings(max_examples=200, deadline=None)
def test_what_is_known_beforehand_is_what_would_be_worked_out(raw: bytes) -> None:
    with suppress(ParseError):
        assert known_otherwise(raw, scan(raw)) == []


@needs_compiled_core
def test_the_same_on_what_is_spoilt() -> None:
    for number, seed in enumerate([*TORTURE, RAW]):
        for raw in mutations(seed, 20, seed=number):
            with suppress(ParseError):
                assert known_otherwise(raw, scan(raw)) == [], raw


@needs_compiled_core
@pytest.mark.parametrize(
    "display", ["", "lukas ", "lukas", "\"L. M., 'x'\" ", '""', '"\\"" ', "two words ", "ž "]
)
@pytest.mark.parametrize(
    "uri", ["<sip:a@h>", "<sip:a@h;x?y>", "<1:a>", "<tel:>", "sip:a@h", "<sip:a@h", "<é:b>"]
)
@pytest.mark.parametrize(
    "params", ["", ";tag=1", ";TAG=x;y", ";tag", ";tag=1;tag=2", ";tag=", " ;tag=1", ';tag="q"', "x"]
)
def test_the_same_on_addresses(display: str, uri: str, params: str) -> None:
    message = message_with("From", f"{display}{uri}{params}")
    assert known_otherwise(message.raw, message.index.tobytes()) == []


@needs_compiled_core
@pytest.mark.parametrize(
    "protocol", ["SIP/2.0/UDP ", "SIP/2.0/udp ", "sip/2.0/UDP ", "SIP/3.0/UDP ", "SIP/2.0/UDP  "]
)
@pytest.mark.parametrize(
    "host", ["h", "H.Example.", "a-.b", "-a", "a..b", "a_b", "1.2.3.4", "1.2.3.400", "[::1]", "a-"]
)
@pytest.mark.parametrize("port", ["", ":5060", ":0", ":05060", ":65536", ":", ": 5060", ":1234567890"])
@pytest.mark.parametrize(
    "params",
    ["", ";branch=z9hG4bK1;rport", ";branch", ";a=1;A=2", ";x=[::1]", ';branch="x"', ";;", ";=1", ";x=, y"],
)
def test_the_same_on_vias(protocol: str, host: str, port: str, params: str) -> None:
    message = message_with("Via", protocol + host + port + params)
    assert known_otherwise(message.raw, message.index.tobytes()) == []


@needs_compiled_core
@pytest.mark.parametrize(
    "cseq",
    ["1 INFO", "1  INFO", "1\tINFO", "0000000001 INFO", "12345678901 INFO", "1", "1 ", "x INFO", "1 IN FO"],
)
def test_the_same_on_sequence_numbers(cseq: str) -> None:
    message = message_with("CSeq", cseq)
    assert known_otherwise(message.raw, message.index.tobytes()) == []


@needs_compiled_core
def test_a_plain_message_is_known_beforehand() -> None:
    from switchboard._native.wire import know

    message = message_with("Via", "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1;rport")
    assert know(message)
    assert message.via == Via("UDP", "10.0.0.1", 5070, (("branch", "z9hG4bK1"), ("rport", None)))
    assert (message.from_uri, message.to_uri, message.method) == ("sip:a@h", "sip:b@h", "INFO")


@needs_compiled_core
def test_an_index_of_another_message_is_read_within_bounds() -> None:
    """It never comes so; the compiled core must not trust that it does not."""
    from switchboard._native.wire import know

    raw, index = (
        message_with("Via", "SIP/2.0/UDP h").raw,
        message_with("Via", "SIP/2.0/UDP h").index.tobytes(),
    )
    for size in range(len(raw)):
        assert known_otherwise(raw[:size], index) == []
    assert not know(Message(raw, array("H", [0] * 7).tobytes() + bytes(4)))
