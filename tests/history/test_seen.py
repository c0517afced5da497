"""The message at a message that is only kept."""

import pytest
from history.wire import CALL_ID, request, response
from hypothesis import given
from hypothesis import strategies as st

from switchboard.history.seen import call_id_of, mask, method_of, status_of
from switchboard.sip.message import parse_message

CREDENTIALS = b'Digest username="lukas", response="0123abc", cnonce="xyz"'


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"Authorization: " + CREDENTIALS + b"\r\nTo: x\r\n", b"Authorization: ***\r\nTo: x\r\n"),
        (b"a: b\r\nProxy-Authorization:" + CREDENTIALS + b"\r\n", b"a: b\r\nProxy-Authorization: ***\r\n"),
        (b"AUTHORIZATION \t: Digest a,\r\n b,\r\n\tc\r\nTo: x", b"AUTHORIZATION \t: ***\r\nTo: x"),
        (b"Authorization: Digest a,\n b\nTo: x", b"Authorization: ***\nTo: x"),
        (b"INVITE sip:lukas:secret@pbx SIP/2.0", b"INVITE sip:lukas:***@pbx SIP/2.0"),
        (
            b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3\r\n",
            b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:****************\r\n",
        ),
        (b"k=base64:c2VjcmV0\r\na=x", b"k=***************\r\na=x"),
    ],
)  # fmt: skip
def test_secrets_are_left_out(raw: bytes, shown: bytes) -> None:
    assert mask(raw) == shown


@pytest.mark.parametrize(
    "raw",
    [
        b"INVITE sip:lenka@10.0.0.1:5060 SIP/2.0\r\nTo: <sip:10.0.0.1:5060>, <sip:lenka@pbx>\r\n\r\n",
        b'WWW-Authenticate: Digest realm="a", nonce="b"\r\nX-Authorization: c\r\n',
        b"",
    ],
)
def test_all_else_stays(raw: bytes) -> None:
    assert mask(raw) == raw


@given(st.binary(max_size=60), st.binary(min_size=1, max_size=40).filter(lambda text: b"\n" not in text))
def test_no_header_around_it_uncovers_a_secret(around: bytes, secret: bytes) -> None:
    raw = b"X: " + around + b"\nAuthorization: " + b"s3cr3t" + secret + b"\r\n\r\n"
    assert b"s3cr3t" not in mask(raw)


@pytest.mark.parametrize(
    ("raw", "call_id"),
    [
        (request("INVITE"), CALL_ID),
        (b"X\r\ni : short \r\n", "short"),
        (b"X\r\nCALL-ID:\tb\r\n", "b"),
        (b"X\r\nX-Call-ID: b\r\n", ""),
        (b"", ""),
    ],
)
def test_call_id(raw: bytes, call_id: str) -> None:
    assert call_id_of(raw) == call_id


def test_requests_and_responses() -> None:
    assert (method_of(request("BYE")), status_of(request("BYE"))) == ("BYE", (0, ""))
    raw = response(486, "Obsadené", method="INVITE")
    assert (method_of(raw), status_of(raw)) == ("INVITE", (486, "Obsadené"))


@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    assert isinstance(call_id_of(raw) + method_of(raw) + status_of(raw)[1], str)


def test_a_message_whose_key_is_masked_can_be_read() -> None:
    body = b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3\r\n"
    raw = (
        b"INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
        b"Call-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    masked = mask(raw)
    assert b"d0Rm" not in masked
    assert parse_message(masked).from_uri == "sip:a@h"
