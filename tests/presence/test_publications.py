"""PUBLISH: made, refreshed, changed, removed, expired (RFC 3903)."""

import pytest
from presence.asking import Desk, ask

from switchboard.presence.publications import MOST_OF_ONE
from switchboard.presence.reception import Answer
from switchboard.presence.xml import MOST_BYTES
from switchboard.sip.errors import ParseError

PIDF = "urn:ietf:params:xml:ns:pidf"
TYPE = "Content-Type: application/pidf+xml"


def document(basic: str = "open", identifier: str = "t1") -> bytes:
    status = f"<status><basic>{basic}</basic></status>"
    return f'<presence xmlns="{PIDF}" entity="pres:x"><tuple id="{identifier}">{status}</tuple></presence>'.encode()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def publish(desk: Desk, *lines: str, body: bytes = b"", call_id: str = "p1", sender: str = "lenka") -> Answer:
    lines = ("Event: presence", *([TYPE] if body else []), *lines)
    return desk.take(ask("PUBLISH", "lenka", *lines, body=body, call_id=call_id, sender=sender))


def tag_of(answer: Answer) -> str:
    assert answer.status == 200
    return dict(answer.headers)["SIP-ETag"]


def told(desk: Desk) -> list[bytes]:
    return [each.body for each in desk.notifies()]


def test_a_publication_lives_and_ends(desk: Desk) -> None:
    desk.subscribe()
    told(desk)
    first = tag_of(publish(desk, body=document()))
    (body,) = told(desk)
    assert b'<tuple id="t1"><status><basic>open</basic></status></tuple>' in body
    second = tag_of(publish(desk, f"SIP-If-Match: {first}"))
    assert told(desk) == []
    third = tag_of(publish(desk, f"SIP-If-Match: {second}", body=document("closed")))
    assert len({first, second, third}) == 3
    (body,) = told(desk)
    assert b"<basic>closed</basic>" in body
    tag_of(publish(desk, f"SIP-If-Match: {third}", "Expires: 0"))
    (body,) = told(desk)
    assert b'id="registration"' in body
    assert desk.core.publications.by_tag == {}


def test_it_expires(desk: Desk) -> None:
    desk.subscribe()
    tag_of(publish(desk, "Expires: 60", body=document()))
    told(desk)
    assert desk.core.publications.next_deadline() is not None
    desk.notifies(wait_s=60)
    (body,) = told(desk)
    assert b'id="registration"' in body


@pytest.mark.parametrize(("lines", "body", "status"), [
    (("SIP-If-Match: unknown",), b"", 412),
    (("Expires: 59",), document(), 423),
    (("Content-Encoding: gzip",), document(), 415),
])  # fmt: skip
def test_refusals(desk: Desk, lines: tuple[str, ...], body: bytes, status: int) -> None:
    assert publish(desk, *lines, body=body).status == status
    assert desk.core.publications.by_tag == {}


def test_others_cannot(desk: Desk) -> None:
    tag = tag_of(publish(desk, body=document()))
    assert publish(desk, body=document(), sender="lukas").status == 403
    other = desk.take(ask("PUBLISH", "lukas", "Event: presence", f"SIP-If-Match: {tag}", sender="lukas"))
    assert other.status == 412
    assert desk.take(ask("PUBLISH", "lenka", "Event: dialog", sender="lenka")).status == 489
    other = desk.take(
        ask("PUBLISH", "lenka", "Event: presence", "Content-Type: a/b", body=b"x", sender="lenka")
    )
    assert (other.status, dict(other.headers)) == (415, {"Accept": "application/pidf+xml"})


def test_a_long_one(desk: Desk) -> None:
    assert publish(desk, body=document() + b" " * MOST_BYTES).status == 413


@pytest.mark.parametrize("body", [
    b"", b"<presence/>", b"<", document()[:-3], document(identifier=""),
    f'<presence xmlns="{PIDF}"><tuple id="a"/></presence>'.encode(),
    b'<!DOCTYPE presence [<!ENTITY a "b">]>' + document(),
])  # fmt: skip
def test_what_is_no_document(desk: Desk, body: bytes) -> None:
    with pytest.raises(ParseError):
        publish(desk, body=body)


def test_a_user_has_so_many(desk: Desk) -> None:
    tags = [tag_of(publish(desk, body=document(), call_id=f"p{number}")) for number in range(MOST_OF_ONE + 1)]
    assert set(desk.core.publications.by_tag) == set(tags[1:])


def test_a_successor_has_them(desk: Desk) -> None:
    tag = tag_of(publish(desk, body=document()))
    desk.keep()
    later = desk.successor()
    later.subscribe()
    (body,) = told(later)
    assert b'id="t1"' in body
    tag_of(publish(later, f"SIP-If-Match: {tag}"))
    later.keep()
    assert sum(packed is not None and name[:1] == "p" for name, packed in later.kept.items()) == 1


def test_a_phone_that_did_not_hear_the_answer_publishes_anew(desk: Desk) -> None:
    publish(desk, body=document())
    tag = tag_of(publish(desk, body=document()))
    assert list(desk.core.publications.by_tag) == [tag]


def test_refreshes_do_not_pile_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.presence.publications.SLACK", 5)
    tag = tag_of(publish(desk, body=document()))
    for _ in range(50):
        tag = tag_of(publish(desk, f"SIP-If-Match: {tag}"))
    assert len(desk.core.publications._ends) < 10


def test_a_document_that_grows_is_refused(desk: Desk) -> None:
    grows = f'<presence xmlns="{PIDF}" xmlns:x="urn:{"y" * 200}" entity="a">{"<x:a/>" * 900}</presence>'
    assert publish(desk, body=grows.encode()).status == 413


def test_what_is_told_fits_into_a_notify(desk: Desk) -> None:
    for number in range(5):
        body = f'<presence xmlns="{PIDF}" entity="a"><note>{number}{"x" * 15_000}</note></presence>'
        desk.at += 1
        assert publish(desk, body=body.encode(), call_id=f"p{number}").status == 200
    told = desk.core.packages["presence"].state("lenka", desk.at)
    assert isinstance(told, tuple)
    assert len(desk.core.publications.of("lenka")) == 5
    assert [each.removeprefix("<note>")[0] for each in told] == ["4", "3"]
