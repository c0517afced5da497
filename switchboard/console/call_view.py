"""A call as the console draws it: its ladder, and what each message changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from switchboard.history.headers import Note, describe
from switchboard.history.ladder import Arrow, Change, Ladder, Part, Participant
from switchboard.history.lenient import LenientMessage, long_name

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


@dataclass(frozen=True, slots=True)
class Field:
    """A header field. `changed`: the switchboard gave it this value."""

    name: str
    value: str
    note: Note | None
    changed: bool


@dataclass(frozen=True, slots=True)
class MessageView:
    """`number`, `counterpart`, `answers` count messages from 1; 0: none. `start_changed`: the first line does."""

    number: int
    arrow: Arrow
    start_line: str
    start_changed: bool
    fields: Sequence[Field]
    body: str
    counterpart: int
    answers: int

    @property
    def changes(self) -> Sequence[Change]:
        """What differs from the message as it came in."""
        return self.arrow.changes


def view_message(ladder: Ladder, number: int) -> MessageView | None:
    """Return message `number` (from 1) of the ladder; None if there is none."""
    if not 1 <= number <= len(ladder.arrows):
        return None
    arrow = ladder.arrows[number - 1]
    parsed = LenientMessage.of(arrow.seen)
    changed = {long_name(change.what) for change in arrow.changes}
    return MessageView(
        number=number,
        arrow=arrow,
        start_line=parsed.start_line,
        start_changed=not changed.isdisjoint({long_name("Request-URI"), long_name("reason phrase")}),
        fields=[
            Field(name, value, describe(name), long_name(name) in changed) for name, value in parsed.fields
        ],
        body=parsed.body.decode("utf-8", "replace"),
        counterpart=0 if arrow.counterpart is None else arrow.counterpart + 1,
        answers=0 if arrow.answers is None else arrow.answers + 1,
    )
