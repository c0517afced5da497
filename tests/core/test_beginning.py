"""Which requests begin something, whatever alphabet a tag is of."""

import pytest

from switchboard.core.beginning import begins, transaction_of
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
