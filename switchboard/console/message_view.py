"""One message as a page shows it: every field explained, what the switchboard changed marked."""

from collections.abc import Sequence
from dataclasses import dataclass

from switchboard.history.changes import Change
from switchboard.history.glance import Glance, long_name
from switchboard.history.headers import Note, describe
from switchboard.history.ladder import Arrow, Ladder


@dataclass(frozen=True, slots=True)
class Field:
    """A header field. `changed`: the switchboard gave it this value."""

    name: str
    value: str
    note: Note | None
    changed: bool


@dataclass(frozen=True, slots=True)
class MessageView:
    """`number`, `twin`, `answers` count messages from 1; 0: none. `start_changed`: the first line does."""

    number: int
    arrow: Arrow
    start_line: str
    start_changed: bool
    fields: Sequence[Field]
    body: str
    twin: int
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
    glance = Glance.of(arrow.seen)
    changed = {long_name(change.what) for change in arrow.changes}
    return MessageView(
        number=number,
        arrow=arrow,
        start_line=glance.start_line,
        start_changed=not changed.isdisjoint({long_name("Request-URI"), long_name("reason phrase")}),
        fields=[
            Field(name, value, describe(name), long_name(name) in changed) for name, value in glance.fields
        ],
        body=glance.body.decode("utf-8", "replace"),
        twin=0 if arrow.twin is None else arrow.twin + 1,
        answers=0 if arrow.answers is None else arrow.answers + 1,
    )
