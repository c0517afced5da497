"""The documents are what the schemas of the RFCs allow."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from presence.asking import LENKA_AOR, Desk, ask
from presence.test_publications import TYPE
from xmlschema import XMLSchema

from switchboard.presence.calls import Leg
from switchboard.presence.dialog_info import MOST, DialogInfo
from switchboard.presence.pidf import compose

RPID = (
    b'<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:d="urn:ietf:params:xml:ns:pidf:data-model" '
    b'xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" entity="pres:lenka@x">'
    b'<tuple id="t"><status><basic>open</basic></status><r:class>x</r:class>'
    b'<contact priority="0.8">sip:a&amp;b@c</contact>'
    b'<note xml:lang="sk">na obede &lt;3</note><timestamp>2026-11-30T04:00:00Z</timestamp></tuple>'
    b'<note>all</note><d:person id="p"><r:activities><r:on-the-phone/></r:activities></d:person>'
    b'<other xmlns="urn:x" a="1" b:c="2" xmlns:b="urn:y"/></presence>'
)


@cache
def schema(name: str) -> XMLSchema:
    return XMLSchema(Path(__file__).with_name("schemas") / f"{name}.xsd")


def publish(desk: Desk, body: bytes, call_id: str = "p") -> None:
    lines = ("Event: presence", TYPE)
    assert (
        desk.take(ask("PUBLISH", "lenka", *lines, body=body, sender="lenka", call_id=call_id)).status == 200
    )


def nothing(desk: Desk) -> None:
    """Nobody knows her."""


def registered(desk: Desk) -> None:
    desk.bind("lenka", 'sip:lenka@10.0.0.12;a="b"&<c>', "sip:lenka@10.0.0.13;transport=tcp")


def published(desk: Desk) -> None:
    publish(desk, RPID)


def published_twice(desk: Desk) -> None:
    publish(desk, RPID)
    desk.at += 1
    publish(desk, RPID.replace(b"on-the-phone", b"away"), "q")


@pytest.mark.parametrize("prepare", [nothing, registered, published, published_twice])
@pytest.mark.parametrize(
    ("package", "name"), [("presence", "pidf"), ("reg", "reginfo"), ("dialog", "dialog-info")]
)
def test_documents_are_valid(prepare: Callable[[Desk], None], package: str, name: str) -> None:
    desk = Desk()
    prepare(desk)
    desk.subscribe("lenka", package, sender="lenka")
    (notify,) = desk.notifies()
    schema(name).validate(notify.body.decode())
    assert notify.get("content-type") == desk.core.packages[package].content_type


def test_what_was_published_stays_as_it_was() -> None:
    desk = Desk()
    published(desk)
    text, note, person, other = compose(desk.core.publications.of("lenka"))
    assert text == (
        '<tuple id="t"><status><basic>open</basic></status><rpid:class>x</rpid:class>'
        '<contact priority="0.8">sip:a&amp;b@c</contact><note xml:lang="sk">na obede &lt;3</note>'
        "<timestamp>2026-11-30T04:00:00Z</timestamp></tuple>"
    )
    assert note == "<note>all</note>"
    assert person == '<dm:person id="p"><rpid:activities><rpid:on-the-phone/></rpid:activities></dm:person>'
    assert other == '<n3:other xmlns:n3="urn:x" xmlns:n4="urn:y" a="1" n4:c="2"/>'


def test_two_publications_are_one_document() -> None:
    desk = Desk()
    published_twice(desk)
    desk.subscribe()
    (notify,) = desk.notifies()
    assert notify.body.count(b"<tuple ") == 2
    assert notify.body.count(b"<dm:person ") == 1
    assert b"rpid:away" in notify.body


def test_who_is_there_comes_first() -> None:
    desk = Desk()
    publish(desk, RPID)
    desk.at += 1
    publish(desk, RPID.replace(b"<basic>open<", b"<basic>closed<"), "q")
    first, second, *_ = compose(desk.core.publications.of("lenka"))
    assert ["<basic>open<" in first, "<basic>closed<" in second] == [True, True]


def test_versions_count_up() -> None:
    desk = Desk()
    tag = desk.subscribe("lenka", "dialog")
    (first,) = desk.notifies()
    desk.take(ask("SUBSCRIBE", "lenka", "Event: dialog", to_tag=tag, cseq=2))
    (second,) = desk.notifies()
    assert [b'version="0"' in first.body, b'version="1"' in second.body] == [True, True]


@pytest.mark.parametrize("leg", [
    Leg("d1", "initiator", "trying"), Leg("d1", "recipient", "early"), Leg("d1", "recipient", "confirmed"),
    Leg("d1", "initiator", "terminated", "local-bye"), Leg("d1", "recipient", "terminated"),
])  # fmt: skip
def test_dialogs_are_valid(leg: Leg) -> None:
    package = DialogInfo(lambda _: (leg,))
    body = package.body(LENKA_AOR, package.state("lenka", 0.0), 3)
    schema("dialog-info").validate(body.decode())


def test_a_document_fits_into_a_notify_however_many_calls_there_are() -> None:
    over = tuple(Leg(f"d{each}", "recipient", "terminated", "rejected") for each in range(MOST))
    alive = tuple(Leg(f"e{each}", "recipient", "confirmed") for each in range(MOST // 2))
    package = DialogInfo(lambda _: over + alive)
    assert package.state("lenka", 0.0) == alive + over[: MOST // 2]
