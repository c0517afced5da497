"""Challenges that we answer as a client: which one, and how."""

import pytest

from switchboard.auth.digest import MD5, SHA256, Credentials, challenge, make_ha1
from switchboard.auth.proving import LONGEST, Asked, asked_in, strongest
from switchboard.sip.errors import ParseError
from switchboard.sip.message import parse_message

OLD = 'Digest realm="r", nonce="n"'


@pytest.mark.parametrize("algorithm", [SHA256, MD5])
def test_a_challenge_of_ours_is_answered(algorithm: str) -> None:
    asked = Asked.parse(challenge("pbx", "abc", algorithm, stale=True))
    assert asked.is_stale
    shown = Credentials.parse(asked.answer("anna", "secret", "REGISTER", "sip:pbx", "0a4f", 17))
    assert (shown.username, shown.realm, shown.nonce, shown.nonce_count) == ("anna", "pbx", "abc", 17)
    assert shown.response == shown.expected(make_ha1(algorithm, "anna", "pbx", "secret"), "REGISTER")


def test_a_challenge_without_qop_is_answered_without_a_count() -> None:
    shown = Credentials.parse(Asked.parse(OLD).answer("anna", "secret", "REGISTER", "sip:pbx", "0a4f"))
    assert (shown.qop, shown.nonce_count, shown.algorithm) == ("", None, MD5)
    assert shown.response == shown.expected(make_ha1(MD5, "anna", "r", "secret"), "REGISTER")


def test_what_is_opaque_comes_back() -> None:
    value = Asked.parse(f'{OLD}, opaque="x y"').answer("anna", "secret", "REGISTER", "sip:pbx", "0a4f")
    assert 'opaque="x y"' in value


@pytest.mark.parametrize(
    "text",
    [
        "Basic realm=x",
        'Digest realm="x"',
        'Digest realm="x", nonce="y", algorithm=Z',
        f'{OLD}, qop="auth-int"',
        'Digest realm="r", nonce="n\\"x"',
        "Digest =, nonce",
        f'Digest realm="r", nonce="{"x" * LONGEST}"',
    ],
)
def test_a_challenge_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        Asked.parse(text)
    assert strongest([text]) is None


def test_the_strongest_one_counts() -> None:
    head = "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
    head += "To: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n"
    lines = [f'{OLD}, algorithm=AKAv1-MD5, qop="auth"', f"{OLD}, algorithm=MD5", f"{OLD}, algorithm=sha-256"]
    fields = "".join(f"WWW-Authenticate: {each}\r\n" for each in lines)
    asked = asked_in(parse_message(f"{head}{fields}\r\n".encode()))
    assert asked is not None
    assert asked.algorithm == SHA256
    assert asked_in(parse_message(f"{head}\r\n".encode())) is None
    assert asked_in(parse_message(f"{head}{fields}\r\n".replace("401", "403").encode())) is None
