"""The ladder as text."""

from history.wire import LENKA, Wire, invited, refused

from switchboard.history.drawing import lines_of
from switchboard.history.ladder import draw


def test_the_drawing() -> None:
    lines = list(lines_of(draw(refused(486, "Busy Here", shown="Obsadené"))))
    assert lines[0].split() == ["lukas", "switchboard", "lenka"]
    assert lines[1].split() == ["10.0.0.2:5060", "10.0.0.3:5060"]
    assert len(lines) == 2 + 5
    assert lines[2].startswith("     0.000")
    assert "─ INVITE lenka ─" in lines[2]
    assert lines[2].count("▶") == lines[4].count("▶") == lines[5].count("◀") == 1
    assert len({line.rindex("│") for line in lines[2:4]}) == 1, "bars stand below each other"
    assert "486 Obsadené (INVITE)" in lines[6]


def test_the_drawing_says_what_was_sent_again() -> None:
    wire = Wire()
    invited(wire)
    wire.leaves(LENKA, wire.seen[2].raw)
    assert "INVITE lenka [again]" in list(lines_of(draw(wire.seen)))[-1]
