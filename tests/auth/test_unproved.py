"""What is sent to who has proved nothing: never much, and never elsewhere."""

import re

import pytest
from auth.authenticators import make_authenticator

from switchboard.auth.unproved import LONGER_A_SECOND, SOURCES_A_SECOND, Answers, believed
from switchboard.auth.verifier import Verdict
from switchboard.sip.message import Message
from switchboard.sip.scan import scan

SOURCE = ("192.0.2.1", 5060)
VIA = b"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa;received=192.0.2.1"
AT = 1_700_000_000.0
SHORTEST = (
    b"REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@x>;tag=1\r\n"
    b"To: <sip:a@x>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\nMax-Forwards: 70\r\n%s\r\n"
)


def register(padding: int) -> Message:
    """A REGISTER with so many octets that need not be there."""
    raw = SHORTEST % (b"X: %s\r\n" % (b"x" * padding) if padding else b"")
    return Message(raw, scan(raw))


def challenge(answers: Answers, request: Message, *, host: str = SOURCE[0], at: float = AT) -> bytes:
    headers = make_authenticator().challenge("WWW-Authenticate", Verdict(), AT)
    return answers.make(request, host, 401, "", headers, to_tag="01234567", top_via=VIA, now_at=at)


def offered(response: bytes) -> list[str]:
    return [re.sub(r'nonce="[^"]+"', "nonce", line) for line in re.findall("Digest .*", response.decode())]


@pytest.mark.parametrize(
    ("padding", "expected"),
    [
        (500, [', algorithm=SHA-256, qop="auth"', ', algorithm=MD5, qop="auth"']),
        (250, [',algorithm=SHA-256, qop="auth"', ',qop="auth"']),
        (120, [',qop="auth"']),
        (0, [',qop="auth"']),
    ],
)
def test_a_challenge_is_as_long_as_the_request_allows(padding: int, expected: list[str]) -> None:
    request = register(padding)
    response = challenge(Answers(), request)
    assert len(response) <= len(request.raw) or not padding
    separator = ", " if padding == 500 else ","
    assert offered(response) == [f'Digest realm="pbx.example"{separator}nonce{each}\r' for each in expected]
    assert (b"Content-Length" in response) == (padding == 500)
    assert response.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("padding", range(0, 600, 7))
def test_no_challenge_is_longer_but_those_for_the_shortest_requests(padding: int) -> None:
    """And those are not twice as long, though so short a request has not even a Contact."""
    request, shortest = register(padding), register(0)
    longest = len(challenge(Answers(), shortest))
    assert len(challenge(Answers(), request)) <= max(len(request.raw), longest)
    assert longest < 2 * len(shortest.raw)


def test_those_that_are_longer_are_few_for_each_address() -> None:
    answers, request = Answers(), register(0)
    sent = [challenge(answers, request) for _ in range(LONGER_A_SECOND + 5)]
    assert sum(bool(each) for each in sent) == LONGER_A_SECOND
    assert answers.withheld == 5
    assert challenge(answers, request, host="192.0.2.2")
    assert challenge(answers, register(300))
    assert challenge(answers, request, at=AT + 1)


def test_addresses_are_counted_up_to_a_bound() -> None:
    answers, request = Answers(), register(0)
    hosts = [f"10.0.{number >> 8}.{number & 255}" for number in range(SOURCES_A_SECOND)]
    assert all(challenge(answers, request, host=host) for host in hosts)
    assert challenge(answers, request, host="192.0.2.2") == b""
    assert challenge(answers, request, host=hosts[0])


def test_it_goes_back_whatever_the_via_says() -> None:
    assert believed(("192.0.2.1", 5099), SOURCE) == ("192.0.2.1", 5099)
    assert believed(("203.0.113.5", 5060), SOURCE) == SOURCE
