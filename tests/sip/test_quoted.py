"""What an ICMP error quotes of a request, cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playbook import Board, request, response

from switchboard.sip.quoted import Quoted, parse_quoted

BRANCH = "z9hG4bKsb12.abc1.deadbeef"
VIA = f"Via: SIP/2.0/UDP 10.0.0.1:5060;branch={BRANCH}\r\n".encode()
PHONE = b"Via: SIP/2.0/UDP 10.0.0.11:5060;branch=z9hG4bKa1;rport\r\n"


def forwarded(method: bytes = b"INVITE", before: bytes = b"Max-Forwards: 69\r\n", via: bytes = VIA) -> bytes:
    return (
        method + b" sip:lenka@10.0.0.12 SIP/2.0\r\n" + before + via + PHONE + b"From: <sip:a@b>;tag=1\r\n\r\n"
    )


@pytest.mark.parametrize("method", ["INVITE", "CANCEL", "ACK", "MESSAGE", "!odd.method~"])
@pytest.mark.parametrize(
    "before", [b"", b"Max-Forwards: 69\r\n", b"Subject: a\r\n Via: SIP/2.0/UDP h;branch=z9hG4bKsb7.x\r\n"]
)
def test_our_branch_is_found(method: str, before: bytes) -> None:
    assert parse_quoted(forwarded(method.encode(), before)) == Quoted(method, BRANCH, 12)


def test_what_the_proxy_sends_is_found() -> None:
    board = Board()
    board.bind("lukas", "sip:lukas@10.0.0.11")
    board.bind("lenka", "sip:lenka@10.0.0.12")
    board.receive(request("INVITE", "sip:lenka@10.0.0.1"), ("10.0.0.11", 5060))
    (invite,) = board.sent()
    assert parse_quoted(invite.raw) == Quoted("INVITE", invite.branch, 0)
    board.receive(response(invite.message, 486), ("10.0.0.12", 5060))
    (ack,) = board.sent()
    assert parse_quoted(ack.raw) == Quoted("ACK", invite.branch, 0)


def test_the_topmost_via_counts() -> None:
    other = VIA.replace(b"sb12.abc1", b"sb3.xyz9")
    assert parse_quoted(forwarded(via=VIA + other)) == Quoted("INVITE", BRANCH, 12)


def test_cut_within_our_via_it_says_nothing() -> None:
    raw = forwarded()
    end = raw.index(VIA) + len(VIA) - 1
    assert [parse_quoted(raw[:size]) for size in range(end)] == [None] * end
    assert {parse_quoted(raw[:size]) for size in range(end, len(raw))} == {Quoted("INVITE", BRANCH, 12)}


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\r\n\r\n",
        forwarded(via=b""),
        forwarded(via=VIA.replace(b"sb12.", b".")),
        forwarded(via=VIA.replace(b"sb12.", b"sb1234.")),
        forwarded(via=VIA.replace(b"sb12.", b"sb.")),
        b"SIP/2.0 200 OK\r\n" + VIA + b"\r\n",
        b"SIP/2.0 200 SIP/2.0\r\n" + VIA + b"\r\n",
        b"INVITE sip:a@b SIP/3.0\r\n" + VIA + b"\r\n",
    ],
)
def test_what_is_no_request_of_ours_says_nothing(sent: bytes) -> None:
    assert parse_quoted(sent) is None


@given(st.binary(max_size=200), st.integers(0, 200))
def test_anything_may_be_quoted(octets: bytes, at: int) -> None:
    raw = forwarded()
    for sent in (octets, raw[:at] + octets + raw[at:]):
        quoted = parse_quoted(sent)
        assert quoted is None or f";branch={quoted.branch}".encode() in sent
