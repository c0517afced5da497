"""Which message a call's page opens."""

import pytest
from history.wire import LENKA, LUKAS, Wire, call, invited, refused, refused_here, request, response

from switchboard.console.decisive import decisive
from switchboard.history.ladder import Ladder, draw
from switchboard.history.seen import Direction, Seen


def cancelled() -> list[Seen]:
    """lukas gives up while it rings."""
    wire = Wire()
    invited(wire)
    wire.passes(LENKA, LUKAS, response(180, "Ringing", ("sb1", "b")), response(180, "Ringing"))
    wire.comes(LUKAS, request("CANCEL"))
    wire.leaves(LUKAS, response(200, "OK", method="CANCEL"))
    wire.passes(LENKA, LUKAS, response(487, "Gone", ("sb1", "b")), response(487, "Gone"))
    return wire.seen


def only_challenged() -> list[Seen]:
    wire = Wire()
    wire.comes(LUKAS, request("INVITE"))
    wire.leaves(LUKAS, response(407, "Proxy Authentication Required"))
    wire.comes(LUKAS, request("ACK"))
    return wire.seen


@pytest.mark.parametrize(
    ("messages", "label", "direction"),
    [
        (refused(486, "Busy Here"), "486 Busy Here", Direction.IN),
        (refused_here(404, "Not Found"), "404 Not Found", Direction.OUT),
        (call(), "200 OK", Direction.IN),
        (cancelled(), "CANCEL", Direction.IN),
        (only_challenged(), "407 Proxy", Direction.OUT),
    ],
)
def test_which(messages: list[Seen], label: str, direction: Direction) -> None:
    ladder = draw(messages)
    arrow = ladder.arrows[decisive(ladder) - 1]
    assert arrow.label.startswith(label)
    assert arrow.direction is direction


def test_what_has_only_begun() -> None:
    wire = Wire()
    invited(wire)
    assert decisive(draw(wire.seen)) == 1
    assert decisive(Ladder([], [])) == 0
