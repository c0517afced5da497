"""Matching messages to transactions: RFC 3261 §17.1.3, §17.2.3; RFC 4475 §3.2.1."""

import pytest

from switchboard.core.transaction_key import ServerKey, client_key, server_key
from switchboard.sip.message import parse_message

COOKIE = "SIP/2.0/UDP h:5070;branch=z9hG4bKa1"
PLAIN = "SIP/2.0/UDP h;branch=1"


def key(
    via: str,
    method: str = "INVITE",
    *,
    uri: str = "sip:b@h",
    from_tag: str = "1",
    to_tag: str = "",
    call_id: str = "c",
    cseq: int = 1,
    match: str = "",
) -> ServerKey:
    to = f"<sip:b@h>;tag={to_tag}" if to_tag else "<sip:b@h>"
    head = f"{method} {uri} SIP/2.0\r\nVia: {via}\r\nFrom: <sip:a@h>;tag={from_tag}\r\nTo: {to}\r\n"
    request = parse_message(f"{head}Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\r\n".encode())
    return server_key(request, request.via, match)


@pytest.mark.parametrize(
    "other",
    [
        key(COOKIE, uri="sip:other@h", from_tag="2", to_tag="3", call_id="d", cseq=2),
        key("SIP/2.0/TCP H:5070;branch=Z9HG4BKA1;rport"),
        key(COOKIE + ", SIP/2.0/UDP below"),
        key(COOKIE, "ACK", to_tag="2"),
        key(COOKIE, "CANCEL", match="INVITE"),
    ],
)
def test_branch_with_cookie_decides(other: ServerKey) -> None:
    """Branch, sent-by and method: nothing else, and in any case."""
    assert key(COOKIE) == other


@pytest.mark.parametrize(
    "other",
    [
        key("SIP/2.0/UDP h:5070;branch=z9hG4bKa2"),
        key("SIP/2.0/UDP i:5070;branch=z9hG4bKa1"),
        key("SIP/2.0/UDP h:5071;branch=z9hG4bKa1"),
        key("SIP/2.0/UDP h;branch=z9hG4bKa1"),
        key(COOKIE, "CANCEL"),
        key(COOKIE, "BYE"),
        key(PLAIN),
    ],
)
def test_what_differs(other: ServerKey) -> None:
    assert key(COOKIE) != other


def test_default_port_of_sent_by() -> None:
    assert key("SIP/2.0/UDP h;branch=z9hG4bKa1") == key("SIP/2.0/UDP h:5060;branch=z9hG4bKa1")


@pytest.mark.parametrize(
    "via", [PLAIN, "SIP/2.0/UDP h", "SIP/2.0/UDP h;branch=z9hG4bK", "SIP/2.0/UDP h;branch=Z9HG4BK"]
)
@pytest.mark.parametrize(
    ("changes", "is_same"),
    [
        ({}, True),
        ({"method": "ACK", "to_tag": "2"}, True),
        ({"method": "CANCEL", "match": "INVITE"}, True),
        ({"method": "CANCEL"}, False),
        ({"uri": "sip:c@h"}, False),
        ({"from_tag": "2"}, False),
        ({"call_id": "d"}, False),
        ({"cseq": 2}, False),
    ],
)
def test_without_cookie_the_fields_decide(via: str, changes: dict[str, str], is_same: bool) -> None:
    """RFC 2543 elements; so it is where nothing stands behind the cookie."""
    assert (key(via) == key(via, **changes)) is is_same  # type: ignore[arg-type]


def test_without_cookie_the_topmost_via_decides() -> None:
    assert key(PLAIN) != key("SIP/2.0/UDP h;branch=2")
    assert key(PLAIN) == key(PLAIN + ", SIP/2.0/UDP below")


def test_malformed_from_has_a_key() -> None:
    assert key(PLAIN, from_tag='"open') == key(PLAIN, from_tag='"open')


def test_client_key() -> None:
    """A CANCEL has the branch of its INVITE, and is another transaction (§17.1.3)."""
    assert client_key("z9hG4bK1", "INVITE") == client_key("z9hG4bK1", "INVITE")
    assert client_key("z9hG4bK1", "INVITE") != client_key("z9hG4bK1", "CANCEL")
