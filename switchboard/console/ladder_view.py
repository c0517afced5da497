"""Where the lines and arrows of a ladder stand: numbers for an SVG, nothing else."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from switchboard.history.ladder import Arrow, Ladder, Part, Participant

TIME_WIDTH = 76
MARGIN = 78
LANE = 236
HEAD = 58
ROW = 46
TIP = 8


@dataclass(frozen=True, slots=True)
class Lane:
    """A participant's line."""

    participant: Participant
    x: int


@dataclass(frozen=True, slots=True)
class Line:
    """An arrow with its place. `number`: of the message, from 1; `kind`: what its colour tells."""

    arrow: Arrow
    number: int
    y: int
    start: int
    end: int
    kind: str

    @property
    def middle(self) -> float:
        """Where its label is centred."""
        return (self.start + self.end) / 2

    @property
    def tip(self) -> str:
        """The points of its head."""
        back = self.end - TIP if self.end >= self.start else self.end + TIP
        return f"{self.end},{self.y} {back},{self.y - TIP / 2} {back},{self.y + TIP / 2}"

    @property
    def notes(self) -> str:
        """What stands below it."""
        told = [f"fork {self.arrow.fork}"] if self.arrow.fork else []
        if self.arrow.retransmission:
            told.append("sent again")
        if changed := [change.what for change in self.arrow.changes if change.what not in COMMONPLACE]:
            told.append(f"changed: {', '.join(changed)}")
        return ", ".join(told)


COMMONPLACE = frozenset({"Via", "Max-Forwards", "Record-Route", "Route"})
"""What every proxy changes in nearly every message: told in the message itself."""


@dataclass(frozen=True, slots=True)
class View:
    """The whole picture."""

    lanes: Sequence[Lane]
    lines: Sequence[Line]
    width: int
    height: int


def arrange(ladder: Ladder) -> View:
    """Give everything its place."""
    xs = [TIME_WIDTH + MARGIN + place * LANE for place in range(len(ladder.participants))]
    lanes = [Lane(each, x) for each, x in zip(ladder.participants, xs, strict=True)]
    lines = list(_lines(ladder, xs))
    return View(lanes, lines, TIME_WIDTH + 2 * MARGIN + LANE * (len(lanes) - 1), HEAD + ROW * len(lines) + 12)


def _lines(ladder: Ladder, xs: Sequence[int]) -> Iterator[Line]:
    for place, arrow in enumerate(ladder.arrows):
        start, end = xs[arrow.source], xs[arrow.destination]
        yield Line(arrow, place + 1, HEAD + ROW * place + ROW // 2 + 4, start, end, _kind(arrow, ladder))


def _kind(arrow: Arrow, ladder: Ladder) -> str:
    """A request, or the class of a response; `hop` between workers."""
    if Part.WORKER in (ladder.participants[arrow.source].part, ladder.participants[arrow.destination].part):
        return "hop"
    return f"r{arrow.label[0]}" if arrow.label[:1].isdigit() else "request"
