"""Messages without their secrets, as tshark reads them."""

import subprocess
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from system.tools import require_tools

from switchboard.history.export import write
from switchboard.history.masking import mask
from switchboard.history.seen import Address, Direction, Seen
from switchboard.sip.message import parse_message

CREDENTIALS = b'Digest username="lukas", nc=00000001,response="0123abc" ,cnonce=xyz'
SHOWN = b'Digest username="lukas", nc=00000001, response="***", cnonce=***'


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"Authorization: " + CREDENTIALS + b"\r\nTo: x\r\n", b"Authorization: " + SHOWN + b"\r\nTo: x\r\n"),
        (
            b"a: b\r\nProxy-Authorization:" + CREDENTIALS + b"\r\n",
            b"a: b\r\nProxy-Authorization: " + SHOWN + b"\r\n",
        ),
        (
            b"AUTHORIZATION \t: DIGEST uri=a,\r\n response=b,\r\n\tx=c\r\nTo: x",
            b"AUTHORIZATION \t: Digest uri=a, response=***, x=***\r\nTo: x",
        ),
        (b"Authorization: Digest a,\n b\nTo: x", b"Authorization: *** ***\nTo: x"),
        (b'Authorization: Digest uri=a, response="b', b"Authorization: *** ***"),
        (b'Authorization: Digest uri="a" b, x=c', b"Authorization: *** ***"),
        (b"Authorization: Bearer abc\r\n", b"Authorization: *** ***\r\n"),
        (b"Authorization:\r\n", b"Authorization: *** ***\r\n"),
        (
            b"X: y\r\n\r\nAuthorization: Digest b\r\nT: <sip:a:bcde@h>",
            b"X: y\r\n\r\nAuthorization: ****** *\r\nT: <sip:a:****@h>",
        ),
        (b"INVITE sip:lukas:secret@pbx SIP/2.0", b"INVITE sip:lukas:***@pbx SIP/2.0"),
        (
            b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3\r\n",
            b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:MASKEDMASKEDMASK\r\n",
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


def test_a_message_whose_key_is_masked_can_be_read() -> None:
    body = b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3\r\n"
    raw = (
        b"INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
        b"Call-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    masked = mask(raw)
    assert b"d0Rm" not in masked
    assert parse_message(masked).from_uri == "sip:a@h"


def message(line: str, transport: str, body: str = "", start: str = "INVITE sip:b@h SIP/2.0") -> bytes:
    body = (
        f"v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 4 RTP/SAVP 0\r\n{body}\r\n"
    )
    return (
        f"{start}\r\nVia: SIP/2.0/{transport} 10.0.0.2;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: <sip:a@h>;tag=1\r\n"
        f"To: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n{line}\r\nContent-Type: application/sdp\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


SECRET = [
    (f"Authorization: {CREDENTIALS.decode()}", ""),
    ("Proxy-Authorization: Basic bHVrYXM6c2VjcmV0", ""),
    ("Authorization: Digest nothing of the kind", ""),
    ("Authorization: Digest a=b,\r\n  response=s3cr3t", ""),
    ("Refer-To: <sip:c:s3cr3t@h>", ""),
    ("X: y", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4"),
    ("X: y", "k=clear:s3cr3t"),
    ("X: y", "a=key-mgmt:mikey AQAFgM0XflABAAAAAAAAAAAAAAsAyO9tS8Mo"),
]


def test_tshark_calls_nothing_malformed(tmp_path: Path) -> None:
    require_tools("tshark")
    raw = [
        message(line, transport, body)
        for transport, (line, body) in product(("UDP", "TCP", "TLS", "WSS"), SECRET)
    ]
    assert (
        len({len(each.partition(b"\r\n\r\n")[2]) - len(mask(each).partition(b"\r\n\r\n")[2]) for each in raw})
        == 1
    )
    seen = [
        Seen(number, Address("10.0.0.2", 5060), Address("10.0.0.1", 5060), mask(each), Direction.IN)
        for number, each in enumerate(raw)
    ]
    capture = tmp_path / "masked.pcapng"
    with capture.open("wb") as stream:
        write(stream, seen)
    fields = [
        word for field in ("sip.Method", "_ws.malformed", "_ws.expert.message") for word in ("-e", field)
    ]
    done = subprocess.run(
        ["tshark", "-n", "-r", str(capture), "-T", "fields", *fields],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["INVITE\t\t"] * len(raw)
    assert "s3cr3t" not in done.stdout
