"""One message with its fields explained, and the place of its arrow."""

from switchboard.console.call_view import HEAD, LANE, arrange, view_message
from switchboard.history.ladder import draw
from switchboard.history.seen import Address, Direction, Seen

LUKAS, LENKA, OURS = Address("10.0.0.1", 5060), Address("10.0.0.2", 5060), Address("10.0.0.9", 5060)
VIA = b"Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa\r\n"
REST = (
    b"From: <sip:lukas@pbx>;tag=a\r\nTo: <sip:lenka@pbx>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"
    b"X-Own: 1\r\nContent-Length: 4\r\n\r\nbody"
)
ASKED = b"INVITE sip:lenka@pbx SIP/2.0\r\n" + VIA + REST
PASSED_ON = (
    b"INVITE sip:lenka@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKsb0.1.abc\r\n" + VIA + REST
)
LADDER = draw(
    [
        Seen(1_000_000_000, LUKAS, OURS, ASKED, Direction.IN),
        Seen(1_500_000_000, OURS, LENKA, PASSED_ON, Direction.OUT),
    ]
)


def test_what_the_switchboard_changed_is_marked() -> None:
    shown = view_message(LADDER, 2)
    assert shown
    assert (shown.number, shown.counterpart, shown.answers, shown.body) == (2, 1, 0, "body")
    assert shown.start_changed
    assert {field.name for field in shown.fields if field.changed} == {"Via"}


def test_known_fields_are_explained() -> None:
    shown = view_message(LADDER, 1)
    assert shown
    notes = {field.name: field.note for field in shown.fields}
    assert notes["X-Own"] is None
    assert notes["Call-ID"]
    assert (notes["Call-ID"].rfc, notes["Call-ID"].section) == (3261, "20.8")
    assert not shown.changes


def test_numbers_that_are_none() -> None:
    assert view_message(LADDER, 0) is None
    assert view_message(LADDER, 3) is None


def test_every_arrow_has_its_place() -> None:
    view = arrange(LADDER)
    assert [lane.participant.label for lane in view.lanes] == ["lukas", "", "lenka"]
    first, second = view.lines
    assert (first.end - first.start, second.end - second.start) == (LANE, LANE)
    assert first.end == second.start == view.lanes[1].x
    assert HEAD < first.y < second.y < view.height
    assert (first.kind, first.notes, second.notes) == ("request", "", "changed: Request-URI")
