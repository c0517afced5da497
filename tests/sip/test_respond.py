"""Responses of our own and where they go: RFC 3261 §8.2.6, §18.2; RFC 3581 §4."""

import pytest

from switchboard.sip.errors import ParseError
from switchboard.sip.message import Message, parse_message
from switchboard.sip.phrases import REASON_PHRASES
from switchboard.sip.respond import build_response, received_via, response_address, warning_of

SOURCE = ("198.51.100.7", 40000)
BROKEN = ParseError("Malformed Header Line")


def with_via(*vias: str, to: str = "<sip:b@h>", lines: tuple[str, ...] = ()) -> Message:
    head = ["INFO sip:b@h SIP/2.0", *(f"v: {via}" for via in vias), "f: <sip:a@h>;tag=1", f"t: {to}", "i: c"]
    return parse_message("\r\n".join([*head, "CSEQ: 1  INFO", *lines, "", ""]).encode())


def test_response() -> None:
    asked = with_via(
        "SIP/2.0/UDP 10.0.0.11:5060 ;rport;branch=x , SIP/2.0/TCP one",
        "SIP/2.0/UDP\r\n two",
        lines=("Timestamp: 54", "Subject: no"),
    )
    assert (
        build_response(
            asked, 404, to_tag="t-1", headers=[("X-Why", "é")], top_via=received_via(asked, SOURCE)
        )
        == (
            "SIP/2.0 404 Not Found\r\n"
            "v: SIP/2.0/UDP 10.0.0.11:5060 ;rport=40000;branch=x;received=198.51.100.7 , SIP/2.0/TCP one\r\n"
            "v: SIP/2.0/UDP\r\n two\r\n"
            "From: <sip:a@h>;tag=1\r\n"
            "To: <sip:b@h>;tag=t-1\r\n"
            "Call-ID: c\r\n"
            "CSeq: 1  INFO\r\n"
            "X-Why: é\r\n"
            "Content-Length: 0\r\n"
            "\r\n"
        ).encode()
    )


@pytest.mark.parametrize(
    ("status", "to", "expected"),
    [
        (200, "<sip:b@h>", "<sip:b@h>;tag=new"),
        (200, "sip:b@h", "sip:b@h;tag=new"),
        (404, "<sip:b@h>;tag=old", "<sip:b@h>;tag=old"),
        (404, "<sip:b@h>;Tag=old;x", "<sip:b@h>;Tag=old;x"),
        (404, "<sip:b@h>;tag=", "<sip:b@h>;tag=new"),
        (404, "<sip:b@h;tag=>;x=;; Tag = ;", "<sip:b@h;tag=>;x=;tag=new"),
        (404, "<sip:b@h>;x=", "<sip:b@h>;x=;tag=new"),
        (404, "<sip:b@h>;;", "<sip:b@h>;tag=new"),
        (100, "<sip:b@h>;tag=", "<sip:b@h>;tag="),
        (404, '"x;tag=y" <sip:b@h>', '"x;tag=y" <sip:b@h>;tag=new'),
        (100, "<sip:b@h>", "<sip:b@h>"),
        (400, '"open <sip:b@h>', '"open <sip:b@h>;tag=new'),
        (400, "", ";tag=new"),
    ],
)
def test_to_tag(status: int, to: str, expected: str) -> None:
    """Added where there is none, never to a 100 (§8.2.6.2), and whatever To holds."""
    answer = build_response(with_via("SIP/2.0/UDP h", to=to), status, to_tag="new")
    assert parse_message(answer).get("to") == expected


@pytest.mark.parametrize(("status", "expected"), [(100, "54"), (200, None)])
def test_timestamp(status: int, expected: str | None) -> None:
    """Copied into the 100 alone (§8.2.6.1)."""
    asked = with_via("SIP/2.0/UDP h", lines=("Timestamp: 54",))
    assert parse_message(build_response(asked, status)).get("timestamp") == expected


@pytest.mark.parametrize(
    ("status", "reason", "line"),
    [(480, "", b"SIP/2.0 480 Temporarily Unavailable"), (480, "Später", "SIP/2.0 480 Später".encode())],
)
def test_reason_phrase(status: int, reason: str, line: bytes) -> None:
    assert build_response(with_via("SIP/2.0/UDP h"), status, reason).startswith(line + b"\r\n")


def test_standard_phrases() -> None:
    for status, phrase in REASON_PHRASES.items():
        assert parse_message(build_response(with_via("SIP/2.0/UDP h"), status)).reason == phrase


@pytest.mark.parametrize(
    ("via", "source", "completed"),
    [
        ("198.51.100.7", SOURCE, "198.51.100.7"),
        ("198.51.100.7:9;rport", SOURCE, "198.51.100.7:9;rport=40000;received=198.51.100.7"),
        ("10.0.0.1;branch=x", SOURCE, "10.0.0.1;branch=x;received=198.51.100.7"),
        ("phone.example", SOURCE, "phone.example;received=198.51.100.7"),
        ("10.0.0.1;received=1.1.1.1", SOURCE, "10.0.0.1;received=198.51.100.7"),
        ("[2001:DB8::1]", ("2001:db8::1", 9), "[2001:DB8::1]"),
        ("[2001:db8:0::1]", ("2001:db8::1", 9), "[2001:db8:0::1]"),
        ("[2001:db8::1]", ("2001:db8::2", 9), "[2001:db8::1];received=2001:db8::2"),
        ("[fe80::1]", ("fe80::1%eth0", 9), "[fe80::1]"),
        ("10.0.0.1;rport", ("2001:db8::2", 9), "10.0.0.1;rport=9;received=2001:db8::2"),
        ("127.0.0.198%84x", ("127.0.0.198", 9), "127.0.0.198%84x"),
        ("10.0.0.1%zone", ("127.0.0.198", 9), "10.0.0.1%zone;received=127.0.0.198"),
    ],
)
def test_received_via(via: str, source: tuple[str, int], completed: str) -> None:
    """`received` where the sent-by is a name or another address (§18.2.1), `rport` where it is asked for."""
    assert received_via(with_via(f"SIP/2.0/UDP {via}"), source).decode() == f"SIP/2.0/UDP {completed}"


@pytest.mark.parametrize(
    ("via", "hop"),
    [
        ("10.0.0.1", ("198.51.100.7", 5060)),
        ("10.0.0.1:5070", ("198.51.100.7", 5070)),
        ("phone.example:5070;received=1.1.1.1", ("198.51.100.7", 5070)),
        ("10.0.0.1:5070;rport", SOURCE),
        ("10.0.0.1:5070;rport=9", SOURCE),
        ("10.0.0.1:0;rport", SOURCE),
        ("10.0.0.1;rport;maddr=192.0.2.9", SOURCE),
        ("10.0.0.1;maddr=[2001:db8::1]", ("198.51.100.7", 5060)),
        ("10.0.0.1:5070;maddr=198.51.100.7", ("198.51.100.7", 5070)),
        ("10.0.0.1;maddr=name.example", ("198.51.100.7", 5060)),
        ("10.0.0.1;rport;maddr=name.example", SOURCE),
    ],
)
def test_response_address(via: str, hop: tuple[str, int]) -> None:
    """Always to the sender's address: who could name another by maddr would have us answer there."""
    assert response_address(with_via(f"SIP/2.0/UDP {via}"), SOURCE) == hop


@pytest.mark.parametrize(
    "via",
    [
        "SIP/2.0/UDP 10.0.0.1:0",
        "SIP/2.0/UDP",
        "",
        "SIP/2.0/UDP 10.0.0.1:5070;maddr=239.255.255.1;ttl=16",
        "SIP/2.0/UDP 10.0.0.1;rport;maddr=255.255.255.255",
        "SIP/2.0/UDP 10.0.0.1;maddr=0.0.0.0",
        "SIP/2.0/UDP 10.0.0.1;maddr=[ff02::1]",
        "SIP/2.0/UDP 10.0.0.1;maddr=[::ffff:224.0.0.1]",
    ],
)
def test_no_response_address(via: str) -> None:
    with pytest.raises(ParseError):
        response_address(with_via(via), SOURCE)


def test_warning() -> None:
    """The reason in English, whatever language the phrase will speak (§20.43)."""
    assert warning_of(BROKEN) == '399 switchboard "Malformed Header Line"'
