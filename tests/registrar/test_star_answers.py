"""What a phone hears that has dialled a star code."""

from typing import Any

import pytest
from flows import udp
from playbook import LUKAS, request

from switchboard.codec import unpack
from switchboard.core.refusal import is_ack_of_such
from switchboard.registrar.star_answers import answer_to, said
from switchboard.sip.flow import Flow
from switchboard.sip.message import Message, parse_message

NONE: dict[str, Any] = {
    "always": "",
    "busy": "",
    "no_answer": "",
    "unregistered": "",
    "after_s": 20,
    "dnd": False,
    "also": [],
}
INVITE = parse_message(request("INVITE", "sip:*72101@10.0.0.1"))
FLOW = udp(*LUKAS, "10.0.0.1")


def heard(status: int, text: str) -> tuple[Flow, Message]:
    to, raw = unpack(answer_to(INVITE, FLOW, status, text))
    return Flow.unpack(to), parse_message(raw)


@pytest.mark.parametrize(
    ("told", "status", "text"),
    [
        ({"name": "lenka", "rules": NONE | {"always": "101"}}, 480, "lenka: always -> 101"),
        ({"name": "lenka", "rules": NONE | {"dnd": True}}, 480, "lenka: do not disturb -> nobody rings"),
        ({"name": "lenka", "rules": None}, 480, "lenka: the phones ring"),
        ({"refused": "so it is"}, 403, "Nothing was changed: so it is"),
    ],
)
def test_the_phrase_says_what_is_so_now(told: dict[str, Any], status: int, text: str) -> None:
    assert said(told) == (status, text)
    to, answer = heard(status, text)
    assert (to.hop, answer.status, answer.reason) == (LUKAS, status, text)


def test_its_ack_ends_at_the_router_and_a_repetition_is_answered_alike() -> None:
    _, answer = heard(480, "x")
    assert answer.to_tag
    assert answer.to_tag == heard(480, "x")[1].to_tag
    ack = request("ACK", "sip:*72101@10.0.0.1", to_tag=answer.to_tag)
    assert is_ack_of_such(parse_message(ack))


def test_strange_texts_stay_one_line() -> None:
    _, answer = heard(403, 'a\r\nb"c\\' + "x" * 500)
    assert answer.reason.startswith("a??b")
    assert len(answer.reason) == 120
    assert answer.get("warning") == f'399 switchboard "a??b\'c{"x" * 113}"'


def test_nobody_hears_what_cannot_be_sent() -> None:
    bad = request("INVITE", "sip:*72101@10.0.0.1").replace(
        b"10.0.0.11:5060;", b"10.0.0.11:0;maddr=224.0.0.1;"
    )
    assert answer_to(parse_message(bad), FLOW, 480, "x") == b""
