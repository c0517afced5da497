"""Answers without a transaction: never much, and never elsewhere."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from playbook import request
from sip.messages import anything

from switchboard.sip.errors import ParseError
from switchboard.sip.message import Message, parse_message
from switchboard.sip.stateless import (
    MORE_A_SECOND,
    PROVED,
    PROVED_S,
    SOURCES_A_SECOND,
    Answer,
    StatelessAnswers,
    answer_no_longer,
)

SOURCE = ("198.51.100.7", 40000)
AT = 1_800_000_000.0
BROKEN = ParseError("Malformed Header Line")
CHALLENGES = [
    ("WWW-Authenticate", f'Digest realm="pbx.example", nonce="{28 * "n"}", algorithm={name}, qop="auth"')
    for name in ("SHA-256", "MD5")
]
ALLOW = ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS")
ACCEPT = ("Accept", "*/*")


def register(padding: int, via: str = "h;rport") -> Message:
    """A REGISTER with so many octets that need not be there."""
    more = f"X: {'x' * padding}\r\n" if padding else ""
    return parse_message(
        (
            f"REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bKa\r\nFrom: <sip:a@x>;tag=1\r\n"
            f"To: <sip:a@x>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\nMax-Forwards: 70\r\n{more}\r\n"
        ).encode()
    )


def challenge(
    answers: StatelessAnswers, asked: Message, source: tuple[str, int] = SOURCE, at: float = AT
) -> Answer | None:
    return answers.make(asked, source, 401, headers=CHALLENGES, to_tag="01234567", at=at)


def reject(raw: bytes, answers: StatelessAnswers | None = None) -> Answer | None:
    return (answers or StatelessAnswers()).reject(raw, BROKEN, SOURCE, AT)


@pytest.mark.parametrize("padding", [0, 50, 120, 250, 500])
def test_every_challenge_of_a_kind_is_the_same(padding: int) -> None:
    answer = challenge(StatelessAnswers(), register(padding))
    assert answer is not None
    assert parse_message(answer[0]).all("www-authenticate") == [value for _, value in CHALLENGES]


def test_longer_answers_are_bounded_in_octets_for_each_address_and_second() -> None:
    answers, asked = StatelessAnswers(), register(0)
    sent = [challenge(answers, asked) for _ in range(100)]
    more = sum(len(answer[0]) - len(asked.raw) for answer in sent if answer)
    assert 0 < more <= MORE_A_SECOND
    assert answers.withheld == sent.count(None) > 0
    assert challenge(answers, asked, ("198.51.100.7", 40001)) is None, "another port is no other address"
    assert challenge(answers, asked, ("192.0.2.2", 40000))
    assert challenge(answers, register(500)), "what is no longer than its request is always sent"
    assert challenge(answers, asked, at=AT + 1)


def test_addresses_are_counted_up_to_a_bound() -> None:
    answers, asked = StatelessAnswers(), register(0)
    hosts = [f"10.0.{number >> 8}.{number & 255}" for number in range(SOURCES_A_SECOND)]
    assert all(challenge(answers, asked, (host, 5060)) for host in hosts)
    assert challenge(answers, asked, ("192.0.2.2", 5060)) is None
    assert challenge(answers, asked, (hosts[0], 5060))


def test_who_has_proved_to_be_there_has_no_bound_for_a_while() -> None:
    answers, asked = StatelessAnswers(), register(0)
    answers.prove(SOURCE, AT)
    assert all(challenge(answers, asked) for _ in range(100))
    assert all(challenge(answers, asked, at=AT + PROVED_S - 1) for _ in range(100))
    assert not all(challenge(answers, asked, (SOURCE[0], 40001)) for _ in range(100))
    assert not all(challenge(answers, asked, at=AT + PROVED_S) for _ in range(100))


def test_of_these_addresses_the_last_are_remembered() -> None:
    answers = StatelessAnswers()
    for number in range(PROVED + 1):
        answers.prove(("192.0.2.1", number), AT)
    assert not all(challenge(answers, register(0), ("192.0.2.1", 0)) for _ in range(100))
    assert all(challenge(answers, register(0), ("192.0.2.1", PROVED)) for _ in range(100))


def test_a_user_who_is_registered_there_has_no_bound() -> None:
    answers, asked = StatelessAnswers(), register(0)
    optional = [(f"X-{number}", 500 * "x") for number in range(20)]
    answer = answers.make(asked, SOURCE, 200, optional=optional, to_tag="t", at=AT, is_known=lambda: True)
    assert answer is not None
    assert len(answer[0]) > 10_000


def test_what_can_be_spared_is_left_out_from_the_end() -> None:
    shown = []
    for padding in range(120):
        asked = register(padding)
        answer = answer_no_longer(asked, SOURCE, 200, optional=[ALLOW, ACCEPT], to_tag="t")
        if answer is not None:
            assert len(answer[0]) <= len(asked.raw)
        shown.append(
            ""
            if answer is None
            else ",".join(re.findall("\n(A[a-z]+|l|C[a-z]+-Length):", answer[0].decode()))
        )
    assert list(dict.fromkeys(shown)) == [
        "",
        "l",
        "Content-Length",
        "Allow,Content-Length",
        "Allow,Accept,Content-Length",
    ]


@pytest.mark.parametrize(
    ("via", "port"),
    [
        ("h;rport", 40000),
        ("h", 5060),
        ("h:5070", 5070),
        ("203.0.113.9:5070;received=203.0.113.9", 5070),
        ("h;maddr=203.0.113.9", 5060),
        ("h;rport;maddr=203.0.113.9", 40000),
        ("h:0", 40000),
        ("h;maddr=224.0.1.75", 40000),
        ("a b", 40000),
    ],
)
def test_it_goes_back_whatever_the_via_says(via: str, port: int) -> None:
    """Whoever is named there has asked for nothing; a malformed one is answered at the sender's port."""
    asked = register(500, via)
    answer = challenge(StatelessAnswers(), asked)
    assert answer is not None
    assert answer[1] == (SOURCE[0], port)
    assert f"Via: SIP/2.0/UDP {via.partition(';')[0]}".encode() in answer[0]
    rejected = reject(asked.raw)
    assert rejected is not None
    assert rejected[1] == (SOURCE[0], port)


_VIAS = st.lists(
    st.sampled_from(
        ["203.0.113.9", "h", ":5070", ":0", ";rport", ";rport=9",
         ";maddr=203.0.113.9", ";maddr=[2001:db8::9]", "=",
         ";received=203.0.113.9", ";", '"', ",", " SIP/2.0/UDP 203.0.113.9", ";ttl=1"]
    ),
    max_size=6,
)  # fmt: skip


@given(_VIAS, st.integers(0, 500))
@settings(max_examples=200, deadline=None)
def test_nothing_is_long_nor_goes_elsewhere(parts: list[str], padding: int) -> None:
    asked = register(padding, "".join(parts))
    answers = StatelessAnswers(more_a_second=0)
    made = [challenge(answers, asked), reject(asked.raw, answers)]
    made.append(answer_no_longer(asked, SOURCE, 503, optional=[ALLOW], to_tag="t"))
    for raw, hop in filter(None, made):
        assert hop[0] == SOURCE[0]
        assert len(raw) <= len(asked.raw)


def test_reject() -> None:
    raw = (
        b"INFO sip:b@h SIP/2.0\r\n"
        b"v: SIP/2.0/UDP 10.0.0.11:5070 ;\r\n branch=x, SIP/2.0/UDP one\r\n"
        b"f: <sip:a@h>;tag=1\r\n"
        b"no header\r\n" + 200 * b"x" + b"\r\n"
        b"To : <sip:b\xff@h>\r\n"
        b"VIA: SIP/2.0/UDP two\r\n"
        b"Call-ID: c\r\n"
        b"i: d\r\n"
        b"CSeq: 1 INFO\r\n"
        b"\r\n"
        b"Via: SIP/2.0/UDP body\r\n"
    )
    answer = reject(raw)
    assert answer is not None
    assert answer[1] == ("198.51.100.7", 5070)
    assert re.sub(rb";tag=[0-9a-f]{8}\r", b";tag=new\r", answer[0]) == (
        b"SIP/2.0 400 Malformed Header Line\r\n"
        b"Via: SIP/2.0/UDP 10.0.0.11:5070 ; branch=x;received=198.51.100.7\r\n"
        b"Via: SIP/2.0/UDP one\r\n"
        b"Via: SIP/2.0/UDP two\r\n"
        b"From: <sip:a@h>;tag=1\r\n"
        b"To: <sip:b\xff@h>;tag=new\r\n"
        b"Call-ID: c\r\n"
        b"CSeq: 1 INFO\r\n"
        b'Warning: 399 switchboard "Malformed Header Line"\r\n'
        b"Content-Length: 0\r\n"
        b"\r\n"
    )


def test_reject_is_the_same_for_retransmissions() -> None:
    """§8.2.7: so is the tag, and that of another request is another."""
    raw = request("INFO", "sip:b@h").replace(b"Max-", b"Max ")
    assert reject(raw) == reject(raw)
    assert reject(raw) != reject(raw.replace(b"call-1", b"call-2"))


def test_reject_keeps_the_tag_in_to() -> None:
    answer = reject(request("INFO", "sip:b@h", to_tag="old", max_forwards="1\r\nbad"))
    assert answer is not None
    assert parse_message(answer[0]).get("to") == "<sip:b@h>;tag=old"
    assert answer[1] == SOURCE


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"INFO sip:b@h SIP/2.0\r\n\r\n",
        b"INFO sip:b@h SIP/2.0\r\nFrom: <sip:a@h>\r\n\r\n",
        b"INFO sip:b@h SIP/2.0\r\nVia:\r\n\r\n",
        b"ACK sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1\r\n\r\n",
        b"SIP/2.0 4294967301 x\r\nVia: SIP/2.0/UDP 10.0.0.1\r\n\r\n",
    ],
)
def test_no_rejection(raw: bytes) -> None:
    """No Via, by which the sender would know the answer; or an ACK or a response."""
    assert reject(raw) is None


@given(anything())
@settings(max_examples=60, deadline=None)
@example(b"INFO a SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nTo: \xff\r\n")
def test_rejection_is_well_formed(raw: bytes) -> None:
    """Any bytes are rejected with what reads as a response, or not at all."""
    answer = reject(raw)
    if answer:
        head, _, body = answer[0].partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert lines[:1] == [b"SIP/2.0 400 Malformed Header Line"]
        assert lines[1].startswith(b"Via: ")
        assert all(b":" in line for line in lines[1:])
        assert body == b""
