"""Which requests begin something, whatever alphabet a tag is of."""

import pytest

from switchboard.core.refusal import TAG, answer_statelessly, begins, is_ack_of_such, transaction_of
from switchboard.sip.message import Message, parse_message


def asked(method: str, to: str = "<sip:b@h>", via: str = "SIP/2.0/UDP h;branch=z9hG4bK1") -> Message:
    text = (
        f"{method} sip:a@b SIP/2.0\r\nVia: {via}\r\nFrom: <sip:a@b>;tag=1\r\nTo: {to}\r\n"
        f"Call-ID: a\r\nCSeq: 1 {method}\r\n\r\n"
    )
    return parse_message(text.encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "REGISTER", "SUBSCRIBE", "NOTIFY", "X"])
def test_a_request_without_a_to_tag_begins_something(method: str) -> None:
    assert begins(asked(method))
    assert not begins(asked(method, "<sip:b@h>;tag=1"))


@pytest.mark.parametrize("method", ["ACK", "BYE", "CANCEL"])
def test_what_ends_something_does_not(method: str) -> None:
    assert not begins(asked(method))


@pytest.mark.parametrize("tag", ["a/b=", "==", "a@b:c", "{x|y}", "(?", '"q"', "ž", "\udcff", "a;tag=b"])
def test_any_tag_is_one(tag: str) -> None:
    assert not begins(asked("NOTIFY", f"<sip:b@h>;tag={tag}"))


@pytest.mark.parametrize("to", ["<sip:b@h>;tag=", "<sip:b@h>;tag", "<sip:b@h;tag=1>", "<sip:b@h>;tags=1"])
def test_no_tag_is_none(to: str) -> None:
    assert begins(asked("NOTIFY", to))


def test_a_copy_has_the_same_number_and_another_request_another() -> None:
    first = transaction_of(asked("INVITE"))
    assert first == transaction_of(asked("INVITE"))
    assert first != transaction_of(asked("INVITE", via="SIP/2.0/UDP h;branch=z9hG4bK2"))


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
