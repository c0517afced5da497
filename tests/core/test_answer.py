"""Answers without a transaction."""

import pytest

from switchboard.core.answer import TAG, answer_statelessly, is_ack_of_such
from switchboard.sip.message import Message, parse_message

SOURCE = ("192.0.2.1", 40000)
RAW = (
    b"INVITE sip:lenka@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.5:5070;branch=z9hG4bK1%b\r\n"
    b"From: <sip:lukas@10.0.0.1>;tag=1\r\nTo: <sip:lenka@10.0.0.1>\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n"
    b"Contact: <sip:lukas@10.0.0.5:5070>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


def request(params: bytes = b"", raw: bytes = RAW) -> Message:
    return parse_message(raw % params)


@pytest.mark.parametrize(("params", "port"), [(b"", 5070), (b";rport", 40000), (b";maddr=203.0.113.9", 5070)])
def test_it_goes_to_where_the_request_came_from(params: bytes, port: int) -> None:
    answer = answer_statelessly(request(params), 403, SOURCE)
    assert answer
    assert answer[1] == ("192.0.2.1", port)
    assert answer[0].startswith(b"SIP/2.0 403 Forbidden\r\n")


def test_a_retransmission_gets_the_same_answer_and_another_request_another_tag() -> None:
    first, again = (answer_statelessly(request(), 403, SOURCE) for _ in range(2))
    assert first == again
    other = answer_statelessly(request(raw=RAW.replace(b"Call-ID: a", b"Call-ID: b")), 403, SOURCE)
    assert first
    assert other
    tags = [parse_message(response).to_tag or "" for response, _ in (first, other)]
    assert len(set(tags)) == 2
    assert all(tag.startswith(TAG) for tag in tags)


def test_it_is_never_larger_than_the_request() -> None:
    short = RAW.replace(
        b"Contact: <sip:lukas@10.0.0.5:5070>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n", b""
    )
    assert answer_statelessly(request(raw=short), 403, SOURCE) is None


def test_what_can_be_spared_is_left_out_first() -> None:
    headers = [("Retry-After", "5"), ("Warning", "399 switchboard " + 40 * "x")]
    answer = answer_statelessly(request(), 503, SOURCE, headers)
    assert answer
    assert parse_message(answer[0]).get("Warning") is None
    assert len(answer[0]) <= len(request().raw)
    answer = answer_statelessly(request(), 503, SOURCE, headers[:1])
    assert answer
    assert parse_message(answer[0]).get("Retry-After") == "5"


@pytest.mark.parametrize(
    ("method", "tag", "expected"),
    [(b"ACK", TAG.encode(), True), (b"ACK", b"x", False), (b"BYE", TAG.encode(), False)],
)
def test_its_ack_is_known(method: bytes, tag: bytes, expected: bool) -> None:
    raw = (
        (RAW % b"").replace(b"INVITE", method).replace(b"lenka@10.0.0.1>\r\nC", b"l@h>;tag=" + tag + b"\r\nC")
    )
    assert is_ack_of_such(parse_message(raw)) is expected
