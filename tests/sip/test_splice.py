"""Byte surgery: RFC 3261 §16.6-7, §17.1.1.3, §9.1; RFC 3581 §4."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sip.messages import requests

from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message, parse_message
from switchboard.sip.splice import (
    Forwarding,
    add_lines,
    complete_via,
    forward_request,
    make_ack,
    make_cancel,
    replace_reason,
    strip_top_via,
)
from switchboard.sip.via import Via

TOP_VIA = b"SIP/2.0/UDP 10.0.0.11;rport;branch=z9hG4bKa1"
OUR_VIA = b"SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKsb0.1.2"
INVITE = (
    b"INVITE sip:b@h SIP/2.0\r\n"
    b"Max-Forwards:  0070 \r\n"
    b"Route: <sip:r1;lr>\r\n"
    b"v: " + TOP_VIA + b" , SIP/2.0/TCP proxy\r\n"
    b"X-Folded: a\r\n\tb\r\n"
    b"route: <sip:r2;lr>,\r\n <sip:r3;lr>\r\n"
    b"From: <sip:a@h>;tag=1\r\n"
    b"To: <sip:b@h>\r\n"
    b"Call-ID: c\r\n"
    b"CSeq: 05 INVITE\r\n"
    b"Content-Length: 4\r\n"
    b"\r\n"
    b"bodyrubbish"
)
RESPONSE_TAIL = b"From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 5 INVITE\r\n"


def forwarded(
    raw: bytes,
    *,
    uri: bytes = b"sip:b@target",
    top_via: bytes = TOP_VIA,
    record_routes: Sequence[bytes] = (),
    routes: Sequence[bytes] | None = None,
) -> bytes:
    change = Forwarding(uri, OUR_VIA, top_via, 69, record_routes, routes)
    return forward_request(parse_message(raw), change)


def response(*vias: bytes, body: bytes = b"") -> Message:
    lines = b"".join(b"Via: " + via + b"\r\n" for via in vias)
    return parse_message(b"SIP/2.0 200 OK\r\n" + lines + RESPONSE_TAIL + b"\r\n" + body)


def test_forward_request() -> None:
    """All that a proxy changes; the rest, the fold and the order included, is as it was."""
    sent = forwarded(
        INVITE,
        top_via=TOP_VIA + b";received=9.9.9.9",
        record_routes=(b"<sip:out;lr>", b"<sip:in;lr>"),
        routes=(b"<sip:r2;lr>", b"<sip:r3;lr>"),
    )
    assert sent == (
        b"INVITE sip:b@target SIP/2.0\r\n"
        b"Via: " + OUR_VIA + b"\r\n"
        b"Record-Route: <sip:out;lr>\r\n"
        b"Record-Route: <sip:in;lr>\r\n"
        b"Route: <sip:r2;lr>, <sip:r3;lr>\r\n"
        b"Max-Forwards:  69 \r\n"
        b"v: " + TOP_VIA + b";received=9.9.9.9 , SIP/2.0/TCP proxy\r\n"
        b"X-Folded: a\r\n\tb\r\n"
        b"From: <sip:a@h>;tag=1\r\n"
        b"To: <sip:b@h>\r\n"
        b"Call-ID: c\r\n"
        b"CSeq: 05 INVITE\r\n"
        b"Content-Length: 4\r\n"
        b"\r\n"
        b"body"
    )


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        (None, ["<sip:r1;lr>", "<sip:r2;lr>", "<sip:r3;lr>"]),
        ((), []),
        ((b"<sip:r3;lr>",), ["<sip:r3;lr>"]),
        ((b"<sip:new;lr>", b"<sip:r1;lr>"), ["<sip:new;lr>", "<sip:r1;lr>"]),
    ],
)
def test_routes(routes: Sequence[bytes] | None, expected: list[str]) -> None:
    assert parse_message(forwarded(INVITE, routes=routes)).values("route") == expected


def test_missing_max_forwards_is_added() -> None:
    sent = parse_message(forwarded(INVITE.replace(b"Max-Forwards:  0070 \r\n", b"")))
    assert sent.all("max-forwards") == ["69"]


def test_route_as_the_first_line() -> None:
    """The new lines and the removed one meet at one offset."""
    raw = INVITE.replace(b"Max-Forwards:  0070 \r\n", b"")
    sent = parse_message(forwarded(raw, routes=()))
    assert sent.raw.startswith(
        b"INVITE sip:b@target SIP/2.0\r\nVia: " + OUR_VIA + b"\r\nMax-Forwards: 69\r\nv: "
    )


def _foreign_lines(message: Message) -> list[bytes]:
    """The lines that no proxy touches."""
    touched = (Header.VIA, Header.MAX_FORWARDS)
    spans = (span for number in Header if number not in touched for span in message.lines(number))
    return [message.raw[start:end] for start, end in sorted(spans)]


@given(requests())
@settings(max_examples=60, deadline=None)
def test_forwarding_keeps_the_rest(raw: bytes) -> None:
    came = parse_message(raw)
    start, end = came.top_via_span
    sent = parse_message(forwarded(raw, top_via=raw[start:end]))
    assert _foreign_lines(sent) == _foreign_lines(came)
    assert sent.body == came.body
    assert sent.values("via") == [OUR_VIA.decode(), *came.values("via")]
    assert (sent.uri, sent.get("max-forwards")) == ("sip:b@target", "69")


@given(requests())
@settings(max_examples=40, deadline=None)
def test_stripping_undoes_the_via(raw: bytes) -> None:
    came = parse_message(raw)
    start, end = came.top_via_span
    change = Forwarding(came.uri.encode(), OUR_VIA, raw[start:end], 70)
    assert strip_top_via(parse_message(forward_request(came, change))) == raw


@pytest.mark.parametrize(
    ("via", "add_received", "completed"),
    [
        (b"SIP/2.0/UDP h;branch=x", False, b"SIP/2.0/UDP h;branch=x"),
        (b"SIP/2.0/UDP h;branch=x", True, b"SIP/2.0/UDP h;branch=x;received=9.9.9.9"),
        (b"SIP/2.0/UDP h;rport", False, b"SIP/2.0/UDP h;rport=7;received=9.9.9.9"),
        (b"SIP/2.0/UDP h;rport;branch=x", True, b"SIP/2.0/UDP h;rport=7;branch=x;received=9.9.9.9"),
        (b"SIP/2.0/UDP h; RPort ;b", False, b"SIP/2.0/UDP h;rport=7 ;b;received=9.9.9.9"),
        (b"SIP/2.0/UDP h;rport=1", False, b"SIP/2.0/UDP h;rport=7;received=9.9.9.9"),
        (b"SIP/2.0/UDP h;rport = 1;b", False, b"SIP/2.0/UDP h;rport=7;b;received=9.9.9.9"),
        (b"SIP/2.0/UDP h;\r\n rport;b", False, b"SIP/2.0/UDP h;rport=7;b;received=9.9.9.9"),
        (b"SIP/2.0/UDP h;received=1.1.1.1", False, b"SIP/2.0/UDP h;received=1.1.1.1"),
        (b"SIP/2.0/UDP h;received=1.1.1.1;b", True, b"SIP/2.0/UDP h;b;received=9.9.9.9"),
        (b"SIP/2.0/UDP h;Received = [::1];rport", False, b"SIP/2.0/UDP h;rport=7;received=9.9.9.9"),
        (b"SIP/2.0/UDP h;rports;xrport;rport-x=1", False, b"SIP/2.0/UDP h;rports;xrport;rport-x=1"),
        (b"SIP/2.0/UDP rport;branch=rport", False, b"SIP/2.0/UDP rport;branch=rport"),
    ],
)
def test_complete_via(via: bytes, add_received: bool, completed: bytes) -> None:
    assert complete_via(via, b"9.9.9.9", 7, add_received=add_received) == completed


@given(
    st.lists(
        st.sampled_from(["rport", "rport=9", "received=1.1.1.1", "branch=z", "x", "ttl=1"]), unique=True
    ),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_completed_via_tells_the_source(params: list[str], add_received: bool) -> None:
    if "rport" in params and "rport=9" in params:
        params.remove("rport")
    text = ";".join(["SIP/2.0/UDP h", *params])
    via = Via.parse(complete_via(text.encode(), b"2001:db8::1", 7, add_received=add_received).decode())
    asked = any(param.startswith("rport") for param in params)
    assert via.param("rport") == ("7" if asked else None)
    if asked or add_received:
        assert via.param("received") == "2001:db8::1"
    kept = [name for name, _ in via.params if name not in ("rport", "received")]
    assert kept == [
        name for name in (param.partition("=")[0] for param in params) if name in ("branch", "x", "ttl")
    ]


@pytest.mark.parametrize(
    ("vias", "left"),
    [
        ((b"one", b"two", b"three"), b"Via: two\r\nVia: three\r\n"),
        ((b"one, two", b"three"), b"Via: two\r\nVia: three\r\n"),
        ((b"one ,\r\n\ttwo , three",), b"Via: two , three\r\n"),
        ((b'one;x="a,b";y, two',), b"Via: two\r\n"),
        ((b"one;\r\n x", b"two"), b"Via: two\r\n"),
        ((b"one ,", b"two"), b"Via: two\r\n"),
    ],
)
def test_strip_top_via(vias: tuple[bytes, ...], left: bytes) -> None:
    stripped = strip_top_via(response(*vias, body=b"body"))
    assert stripped == b"SIP/2.0 200 OK\r\n" + left + RESPONSE_TAIL + b"\r\nbody"


@pytest.mark.parametrize("via", [b"one", b"one,", b"one , \t", b"one,\r\n \t"])
def test_strip_the_only_via(via: bytes) -> None:
    with pytest.raises(ParseError):
        strip_top_via(response(via))


def test_strip_leaves_trailing_octets_out() -> None:
    raw = b"SIP/2.0 200 OK\r\nVia: one\r\nVia: two\r\n" + RESPONSE_TAIL + b"l: 1\r\n\r\nxyz"
    assert strip_top_via(parse_message(raw)).endswith(b"l: 1\r\n\r\nx")


@pytest.mark.parametrize("phrase", [b"OK", b"", b"\xc3\xa9 SIP/2.0 200"])
def test_replace_reason(phrase: bytes) -> None:
    raw = b"SIP/2.0 486 " + phrase + b"\r\nVia: one\r\n" + RESPONSE_TAIL + b"\r\n"
    assert replace_reason(raw, "Obsadené".encode()) == raw.replace(
        b"486 " + phrase, "486 Obsadené".encode(), 1
    )


def test_add_lines() -> None:
    added = add_lines(response(b"one", body=b"body"), [b"A: 1", b"B: 2"])
    assert added.endswith(RESPONSE_TAIL + b"A: 1\r\nB: 2\r\n\r\nbody")
    assert add_lines(response(b"one"), []) == response(b"one").raw


def test_ack() -> None:
    """§17.1.1.3: one Via, that of the INVITE; its Request-URI and Routes; the To of the response."""
    assert make_ack(parse_message(INVITE), response(b"one")) == (
        b"ACK sip:b@h SIP/2.0\r\n"
        b"Via: " + TOP_VIA + b"\r\n"
        b"Route: <sip:r1;lr>\r\n"
        b"route: <sip:r2;lr>,\r\n <sip:r3;lr>\r\n"
        b"From: <sip:a@h>;tag=1\r\n"
        b"To: <sip:b@h>;tag=2\r\n"
        b"Call-ID: c\r\n"
        b"CSeq: 5 ACK\r\n"
        b"Max-Forwards: 70\r\n"
        b"Content-Length: 0\r\n"
        b"\r\n"
    )


def test_cancel() -> None:
    """§9.1: as the INVITE, its To without a tag too; why, by RFC 3326."""
    cancel = parse_message(make_cancel(parse_message(INVITE), [b"SIP;cause=200", b"Q.850;cause=16"]))
    assert (cancel.method, cancel.uri, cancel.cseq) == ("CANCEL", "sip:b@h", (5, "CANCEL"))
    assert cancel.values("via") == [TOP_VIA.decode()]
    assert cancel.values("route") == ["<sip:r1;lr>", "<sip:r2;lr>", "<sip:r3;lr>"]
    assert cancel.all("reason") == ["SIP;cause=200", "Q.850;cause=16"]
    assert (cancel.get("to"), cancel.get("from"), cancel.call_id) == ("<sip:b@h>", "<sip:a@h>;tag=1", "c")
    assert cancel.body == b""
