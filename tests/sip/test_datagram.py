import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.sip.datagram import DatagramKind, classify, looks_like_request, strip_empty_lines
from switchboard.sip.errors import ParseError
from switchboard.sip.scan import scan

STUN = bytes.fromhex("00010000 2112a442 0102030405060708090a0b0c")
CLASSIC_STUN = bytes.fromhex("00010000 0102030405060708090a0b0c0d0e0f10")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"INVITE sip:lukas@10.0.0.1 SIP/2.0\r\n\r\n", DatagramKind.MESSAGE),
        (b"\r\n\r\nINVITE sip:lukas@10.0.0.1 SIP/2.0\r\n\r\n", DatagramKind.MESSAGE),
        (b"!method sip:lukas@10.0.0.1 SIP/2.0\r\n\r\n", DatagramKind.MESSAGE),
        (b"SIP/2.0 200 OK\r\n\r\n", DatagramKind.MESSAGE),
        (b"jaK\r\n", DatagramKind.MESSAGE),
        (b"\r\n\r\n", DatagramKind.PING),
        (b"", DatagramKind.KEEP_ALIVE),
        (b"\r\n", DatagramKind.KEEP_ALIVE),
        (b"\r\n\r\n\r\n", DatagramKind.KEEP_ALIVE),
        (b"\n\n", DatagramKind.KEEP_ALIVE),
        (b"\0", DatagramKind.KEEP_ALIVE),
        (b"\0\0\0\0", DatagramKind.KEEP_ALIVE),
        (b" ", DatagramKind.KEEP_ALIVE),
        (STUN, DatagramKind.STUN),
        (CLASSIC_STUN, DatagramKind.STUN),
        (STUN[:19], DatagramKind.MESSAGE),
        (b"\x80" + bytes(30), DatagramKind.MESSAGE),
    ],
)
def test_kinds(data: bytes, kind: DatagramKind) -> None:
    assert classify(data) is kind


@given(st.binary())
def test_what_can_be_scanned_is_a_message(tail: bytes) -> None:
    data = (
        b"OPTIONS sip:x SIP/2.0\r\nVia: v\r\nFrom: f\r\nTo: t\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n" + tail
    )
    try:
        scan(data)
    except ParseError:
        return
    assert classify(data) is DatagramKind.MESSAGE


@pytest.mark.parametrize(
    ("data", "rest"), [(b"\r\n\r\nA b\r\n", b"A b\r\n"), (b"\nA", b"A"), (b" A", b" A"), (b"A\r\n", b"A\r\n")]
)
def test_empty_lines_before_the_start_line_go(data: bytes, rest: bytes) -> None:
    assert strip_empty_lines(data) == rest


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"INVITE sip:a@b SIP/2.0\r\n", True),
        (b"INVITE sip:a@b SIP/2.0", True),
        (b"INVITE  sip:a b@c  SIP/7.0 \n", True),
        (b"INVITE sip:a@b sip/2.0\r\n", True),
        (b"INVITE sip:a@b SIP/\r\n", True),
        (b"INVITE sip:a@b\r\nVia: SIP/2.0/UDP x\r\n", False),
        (b"SIP/2.0 200 OK\r\n", False),
        (b"SIP/2.0 200 SIP/2.0\r\n", False),
        (b"GET / HTTP/1.1\r\n", False),
        (b"jaK\r\n", False),
        (b"", False),
        (b"a" + b" SIP/" * 13000, True),
        (b"a" + b" SIP/ x" * 9000, False),
    ],
)
def test_what_was_meant_as_a_request(raw: bytes, expected: bool) -> None:
    assert looks_like_request(raw) is expected
