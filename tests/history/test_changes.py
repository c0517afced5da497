"""What differs between what came and what left."""

from history.wire import BOARD, LUKAS, request

from switchboard.history.changes import Change, changes_between
from switchboard.history.glance import Glance
from switchboard.history.seen import Direction, Seen


def glance(raw: bytes) -> Glance:
    return Glance.of(Seen(1, LUKAS, BOARD, raw, Direction.IN))


def test_nothing_changed() -> None:
    assert changes_between(glance(request("INVITE")), glance(request("INVITE"))) == []


def test_fields_that_come_and_go() -> None:
    before = glance(request("INVITE", extra="Route: <sip:board;lr>\r\n", body=b"one"))
    after = glance(request("INVITE", extra="Record-Route: <sip:board;lr>\r\n", body=b"two"))
    assert changes_between(before, after) == [
        Change("Record-Route", "", "<sip:board;lr>"),
        Change("Route", "<sip:board;lr>", ""),
        Change("body", "one", "two"),
    ]
