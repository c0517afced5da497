"""Marks go back behind what was sent for the messages before them."""

from typing import Any, cast

from switchboard.bus.marks import Marks
from switchboard.bus.outbox import Outbox


class FakeOutbox:
    """To an edge-stream: so many items wait, and this was sent."""

    def __init__(self) -> None:
        self.waiting = 0
        self.peer = self
        self.sent: list[tuple[str, Any]] = []

    def send(self, subject: str, body: Any) -> bool:
        self.sent.append((subject, body))
        return True

    def stamps(self) -> list[float]:
        return [body[1] for _, body in self.sent]


def marks_of(*outboxes: FakeOutbox) -> Marks:
    return Marks("router.0", cast(list[Outbox], outboxes))


def test_a_mark_is_returned_once_with_the_first_of_this_life() -> None:
    stream = FakeOutbox()
    marks = marks_of(stream)
    for stamp in (1.0, 2.0):
        assert marks.take(0, stamp)
        marks.give_back()
        marks.give_back()
    lives = {body[2] for _, body in stream.sent}
    assert len(lives) == 1
    assert [(subject, *body[:2], body[3]) for subject, body in stream.sent] == [
        ("sip.taken", "router.0", 1.0, 1.0),
        ("sip.taken", "router.0", 2.0, 1.0),
    ]


def test_a_mark_waits_for_what_is_to_be_sent_before_it() -> None:
    full, free = FakeOutbox(), FakeOutbox()
    full.waiting = 1
    marks = marks_of(full, free)
    marks.take(0, 1.0)
    marks.take(1, 1.0)
    marks.give_back()
    assert (full.stamps(), free.stamps()) == ([], [1.0])
    marks.take(0, 2.0)
    full.waiting = 0
    marks.give_back()
    assert (full.stamps(), free.stamps()) == ([2.0], [1.0])


def test_a_mark_of_nobody() -> None:
    marks = marks_of(FakeOutbox())
    assert not marks.take(1, 1.0)
    assert not marks.take(-1, 1.0)
