"""GRUUs in the 200 to a REGISTER (RFC 5627 §5)."""

import re

import pytest
from registrar.registers import KEY, Desk, register

from switchboard.core.gruu import Gruus
from switchboard.sip.message import Message
from switchboard.sip.uri import SipUri

INSTANCE = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
CONTACT = f'<sip:callee@192.0.2.1>;+sip.instance="<{INSTANCE}>"'
SUPPORTED = "Supported: gruu"
GRUUS = Gruus(KEY)


def gruus_in(answer: Message) -> list[tuple[str, str]]:
    assert answer.status == 200
    text = ", ".join(answer.all("contact"))
    return re.findall(r';pub-gruu="([^"]*)";temp-gruu="([^"]*)";expires=', text)


def test_both_are_given_to_who_asks() -> None:
    """The example of RFC 5627 §5.3."""
    answer = Desk().send(register(CONTACT, user="callee", extra=SUPPORTED))
    ((public, temporary),) = gruus_in(answer)
    assert public == f"sip:callee@switchboard.test;gr={INSTANCE}"
    assert GRUUS.read(SipUri.parse(temporary)) == (
        "callee",
        GRUUS.instance(INSTANCE),
        GRUUS.registration("call-1"),
    )
    assert SipUri.parse(temporary).host == "switchboard.test"


@pytest.mark.parametrize(
    ("contact", "extra"), [(CONTACT, ""), ("<sip:callee@192.0.2.1>", SUPPORTED), (CONTACT, "Supported: path")]
)
def test_nobody_else_gets_any(contact: str, extra: str) -> None:
    assert gruus_in(Desk().send(register(contact, extra=extra))) == []


def test_each_answer_has_another_temporary_one_and_the_same_public_one() -> None:
    desk = Desk()
    answers = [gruus_in(desk.send(register(CONTACT, extra=SUPPORTED)))[0] for _ in range(3)]
    assert len({public for public, _ in answers}) == 1
    assert len({temporary for _, temporary in answers}) == 3


def test_a_query_lists_those_of_all_instances() -> None:
    desk = Desk()
    desk.send(register(CONTACT, '<sip:b@h>;+sip.instance="<urn:x:b>"', "<sip:c@h>"))
    answer = desk.send(register(extra=SUPPORTED))
    assert [public for public, _ in gruus_in(answer)] == [
        f"sip:lukas@switchboard.test;gr={INSTANCE}",
        "sip:lukas@switchboard.test;gr=urn:x:b",
    ]


@pytest.mark.parametrize("contact", ["sip:lukas@switchboard.test;gr=urn:x:b", "sip:tgruu.A@127.0.0.1;GR"])
def test_a_gruu_of_ours_is_no_contact(contact: str) -> None:
    desk = Desk()
    answer = desk.send(register(f"<{contact}>"))
    assert answer.status == 403
    assert desk.bindings() == []
    assert desk.send(register("<sip:lukas@elsewhere.test;gr=urn:x:b>")).status == 200


def test_an_address_of_record_that_cannot_be_quoted_has_none() -> None:
    answer = Desk().send(register(CONTACT, to='<sip:a"b@switchboard.test>', extra=SUPPORTED))
    assert gruus_in(answer) == []
