"""From a text that nobody took to its delivery, over restarts and a disk that is full."""

from pathlib import Path

import pytest
from messages.test_kept import DAY_S, message

from switchboard.messages.box import FIRST_PAUSE_S, MOST_OF_USER, SETTLE_S
from switchboard.messages.desk import KNOWN_S, START_S, TOKEN, Desk
from switchboard.messages.kept import Kept
from switchboard.messages.store import MessageStore
from switchboard.sip.message import Message, parse_message
from switchboard.storage.rescue import Row
from switchboard.storage.unusable import NotWritten

AT = 1_700_000_000.0


class Clock:
    """A desk with a clock, as its worker has it."""

    def __init__(self, path: Path) -> None:
        self.path, self.now = path / "messages.db", 100.0
        self.desk = self._open()

    def _open(self) -> Desk:
        return Desk(MessageStore(self.path), 7 * DAY_S, self.now, AT + self.now)

    def restart(self) -> None:
        """The process dies, and its successor begins."""
        self.desk.close()
        self.desk = self._open()

    def keep(self, found: Message, user: str = "lenka", refusal: int = 480) -> tuple[int, str]:
        with self.desk.batch():
            return self.desk.keep(found, user, True, refusal, self.now, AT + self.now)

    def advance(self, seconds: float) -> list[bytes]:
        """What is to be sent by then."""
        self.now += seconds
        self.desk.handle_timer(self.now, AT + self.now)
        return [letter.token for letter in self.desk.take_due(self.now)]


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


def text(number: int) -> Message:
    return parse_message(message(body=str(number)).raw.replace(b"CSeq: 7", b"CSeq: %d" % number))


def test_a_text_waits_for_its_user_over_a_restart(clock: Clock) -> None:
    assert clock.keep(text(1)) == clock.keep(text(2)) == (202, "")
    clock.restart()
    assert clock.desk.listing() == [("lenka", 2, AT + 100.0, clock.desk.stats()["messages_octets"])]
    assert not clock.advance(START_S - 0.1)
    (first,) = clock.advance(0.1)
    clock.desk.answered(first, 200, clock.now)
    (second,) = clock.advance(0.0)
    assert first != second
    clock.desk.answered(second, 200, clock.now)
    assert (clock.desk.waits, clock.desk.take_changed()) == (False, ["lenka"])
    clock.restart()
    assert not clock.desk.waits


def test_a_registration_brings_it(clock: Clock) -> None:
    clock.keep(text(1))
    clock.desk.registered(["lukas", "lenka"], clock.now)
    (letter,) = [*clock.desk.take_due(clock.now + SETTLE_S)]
    assert (letter.user, letter.raw[:36]) == ("lenka", b"MESSAGE sip:lenka@here.invalid SIP/2")
    clock.desk.answered(letter.token, 408, clock.now)
    assert clock.desk.count("lenka") == 1
    assert clock.advance(FIRST_PAUSE_S) == [letter.token]


def test_the_same_text_is_kept_once_and_known_for_a_while(clock: Clock) -> None:
    for _ in range(2):
        assert clock.keep(text(1))[0] == 202
    assert clock.desk.count("lenka") == 1
    (token,) = clock.advance(FIRST_PAUSE_S)
    clock.desk.answered(token, 200, clock.now)
    clock.restart()
    assert (clock.keep(text(1))[0], clock.desk.count("lenka")) == (202, 0)
    clock.advance(KNOWN_S + 61)
    assert (clock.keep(text(1))[0], clock.desk.count("lenka")) == (202, 1)


def test_what_a_phone_refuses_is_not_tried_again(clock: Clock) -> None:
    clock.keep(text(1))
    (token,) = clock.advance(FIRST_PAUSE_S)
    clock.desk.answered(token, 415, clock.now)
    assert not clock.desk.waits
    assert clock.desk.stats()["messages_refused"] == 1
    clock.desk.answered(token, 200, clock.now)
    clock.desk.answered(TOKEN + b"\xff", 200, clock.now)
    assert "messages_delivered" not in clock.desk.stats()


def test_what_arrives_late_is_forgotten(clock: Clock) -> None:
    clock.keep(text(1))
    clock.desk.arrived(text(1), "lenka", clock.now)
    assert not clock.desk.waits


def test_it_is_not_kept_for_ever(clock: Clock) -> None:
    clock.keep(text(1))
    clock.advance(7 * DAY_S + 61)
    assert (clock.desk.waits, clock.desk.stats()["messages_expired"]) == (False, 1)


def test_what_is_refused_and_why(clock: Clock) -> None:
    assert clock.keep(message("Content-Type: application/im-iscomposing+xml"), refusal=430) == (430, "")
    with clock.desk.batch():
        for number in range(MOST_OF_USER):
            clock.desk.keep(text(number), "lenka", True, 480, clock.now, AT)
    assert clock.keep(text(MOST_OF_USER)) == (480, "Too Many Messages Wait For This User")
    stats = clock.desk.stats()
    assert (stats["messages_passing"], stats["messages_without_room"], stats["messages_kept"]) == (
        1,
        1,
        MOST_OF_USER,
    )
    assert clock.desk.delete("lenka", clock.now) == MOST_OF_USER
    assert not clock.desk.waits


def test_a_disk_that_takes_nothing(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is accepted then; what is delivered is forgotten when it takes something again."""
    clock.keep(text(1))
    (token,) = clock.advance(FIRST_PAUSE_S)
    with monkeypatch.context() as broken:
        broken.setattr(MessageStore, "_change", _refuse)
        with pytest.raises(NotWritten):
            clock.keep(text(2))
        assert clock.desk.count("lenka") == 1
        clock.desk.answered(token, 200, clock.now)
        assert not clock.desk.waits
        assert not clock.advance(1)
    clock.advance(1)
    clock.restart()
    assert not clock.desk.waits


def _refuse(_store: MessageStore) -> None:
    raise NotWritten("no room")


def test_a_damaged_file_gives_back_what_can_be_read(clock: Clock) -> None:
    clock.keep(text(1))
    clock.desk.close()
    store = MessageStore(clock.path)
    row = store.find(next(iter(store.slips())).key)
    store.close()
    assert row
    kept_in = MessageStore.table.row
    number, key, *rest = tuple(row)
    assert Kept(*(kept_in(Row(None, [key, number, *rest])) or ())) == row
    assert kept_in(Row(None, [number, key, *rest])) is None
