"""Messages taken apart for people."""

from history.wire import BOARD, LUKAS, SDP, request, response
from hypothesis import given
from hypothesis import strategies as st

from switchboard.history.lenient import LenientMessage, short
from switchboard.history.seen import Direction, Seen


def parsed(raw: bytes) -> LenientMessage:
    return LenientMessage.of(Seen(1, LUKAS, BOARD, raw, Direction.IN))


def test_a_request() -> None:
    seen = parsed(request("INVITE", branches=("one", "two"), body=SDP % b"192.168.1.7"))
    assert (seen.method, seen.uri, seen.status) == ("INVITE", "sip:lenka@example.org", 0)
    assert (seen.caller, seen.callee) == ("sip:lukas@example.org", "sip:lenka@example.org")
    assert seen.branches == ["z9hG4bKone", "z9hG4bKtwo"]
    assert (seen.contact_host, seen.media_host) == ("10.0.0.2", "192.168.1.7")
    assert seen.codecs == ["PCMU", "PCMA"]
    assert seen.is_initial
    assert not parsed(request("BYE", to_tag="2")).is_initial


def test_a_response() -> None:
    seen = parsed(response(486, "Obsadené"))
    assert (seen.status, seen.phrase, seen.method, seen.uri) == (486, "Obsadené", "INVITE", "")


def test_fields_by_long_and_short_names() -> None:
    seen = parsed(b"OPTIONS sip:a SIP/2.0\r\nv: one;branch=x,\r\n two;branch=y\r\nVIA: three\r\n\r\n")
    assert seen.all("via") == ["one;branch=x, two;branch=y", "three"]
    assert seen.branches == ["x", "y", ""]
    assert seen.first("subject") == ""


def test_names_of_people() -> None:
    assert short("sip:lenka@example.org") == "lenka"
    assert short("sip:example.org") == "example.org"
    assert short("tel:123") == "tel:123"


@given(st.binary(max_size=300))
def test_nothing_is_refused(raw: bytes) -> None:
    seen = parsed(raw)
    assert seen.status == 0 or 100 <= seen.status < 700
    assert isinstance((seen.method, seen.uri, seen.branches, seen.codecs, seen.contact_host), tuple)
