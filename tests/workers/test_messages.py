"""The presence worker's desk: what its sender hears, and what routers are asked for."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flows import packed
from messages.test_kept import message

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.codec import unpack
from switchboard.messages.box import FIRST_PAUSE_S, SETTLE_S
from switchboard.messages.store import MessageStore
from switchboard.presence.reception import Reception
from switchboard.registrar.binding import Binding
from switchboard.registrar.user_table import pack_users
from switchboard.settings.model import Settings
from switchboard.sip.message import Message, parse_message
from switchboard.storage.unusable import NotWritten
from switchboard.workers.messages import ARRIVED, METHOD, TOKEN, MessageDesk, is_text
from switchboard.workers.own_requests import Requester

AT = 1_700_000_000.0
THERE = Binding("sip:there@10.0.0.12", 1.0, AT + 600)


class Worker:
    """What the presence worker has of a desk."""

    def __init__(self, settings: Settings, context: BusContext) -> None:
        endpoints = Endpoints(settings.run_dir)
        self.requester = Requester(context, endpoints, "presence", 1, 32.0)
        self.desk = MessageDesk(settings, self.requester, 0.0, AT)
        self.reception = Reception({METHOD: self.desk}, 32.0)

    def take(self, *items: Any, now: float = 0.0) -> list[Message]:
        answers = self.desk.answer(self.reception, items, now, AT + now)
        return [parse_message(unpack(each)[1]) for each in answers]

    def asked(self) -> list[bytes]:
        """The tokens of what routers are asked to send."""
        waiting = list(self.requester._due)
        self.requester._due.clear()
        return waiting


@pytest.fixture
def worker(context: BusContext) -> Iterator[Worker]:
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        (Path(directory) / "run").mkdir()
        made = Worker(Settings(data_dir=Path(directory), keep_messages_days=7, routers=1), context)
        yield made
        made.desk.close()
        for outbox in made.requester.outboxes:
            outbox.close()


def item(*lines: str, sender: str = "lukas", status: int = 480) -> list[object]:
    found = message(*lines)
    return [packed("10.0.0.11", 5060, "10.0.0.1"), found.index.tobytes(), found.raw, sender, "lenka", status]


def changed(user: str, *bindings: Binding) -> bytes:
    return b"x" + pack_users({user: bindings})


def test_a_text_is_accepted_once_and_again(worker: Worker) -> None:
    assert is_text(item())
    assert not is_text([b"", b"", b"SUBSCRIBE sip:x SIP/2.0", "", "", 0])
    first, second = worker.take(item(), item())
    assert (first.status, first.raw) == (202, second.raw)
    assert worker.desk.desk.count("lenka") == 1
    assert worker.desk.stats()["messages_kept"] == 1


def test_what_is_not_kept_is_refused_as_it_would_have_been(worker: Worker) -> None:
    (answer,) = worker.take(item("Expires: 0", status=430))
    assert answer.status == 430


def test_why_there_is_no_room(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.messages.box.MOST_OF_USER", 0)
    monkeypatch.setattr("switchboard.messages.box.Box.has_no_room", lambda *_: "Too Many")
    (answer,) = worker.take(item())
    assert (answer.status, answer.get("warning")) == (480, '399 switchboard "Too Many"')


def test_a_disk_that_takes_nothing(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_store: MessageStore) -> None:
        raise NotWritten("no room")

    with monkeypatch.context() as broken:
        broken.setattr(MessageStore, "_change", refuse)
        (answer,) = worker.take(item())
        assert (answer.status, answer.get("retry-after")) == (503, "5")
    (answer,) = worker.take(item())
    assert answer.status == 202


def test_a_registration_has_routers_deliver_it(worker: Worker) -> None:
    worker.desk.changed(changed("lenka", THERE), 1, 0.0)
    worker.take(item(), now=1.0)
    for frame in (changed("lenka"), changed("lukas", THERE), b"x\xc1"):
        worker.desk.changed(frame, 1, 2.0)
    worker.desk.handle_timer(2.0 + SETTLE_S, AT)
    assert worker.asked() == []
    worker.desk.changed(changed("lenka", THERE), 1, 3.0)
    assert worker.desk.next_deadline() == 3.0 + SETTLE_S
    worker.desk.handle_timer(3.0 + SETTLE_S, AT)
    (token,) = worker.asked()
    assert token.startswith(TOKEN)
    worker.desk.heard([[b"x", 200, b"", b""], "odd", [token, 200, b"", b""]], 4.0)
    assert worker.desk.stats()["messages_delivered"] == 1


def test_who_hears_nothing_of_it_tries_again(worker: Worker) -> None:
    worker.take(item())
    worker.desk.handle_timer(FIRST_PAUSE_S, AT)
    (token,) = worker.asked()
    worker.desk.unheard(token, 100.0)
    worker.desk.handle_timer(100.0 + FIRST_PAUSE_S, AT)
    assert worker.asked() == [token]


def test_what_a_phone_took_after_all_is_not_kept(worker: Worker) -> None:
    worker.take(item())
    assert worker.take(item(status=ARRIVED)) == []
    assert worker.desk.stats()["messages_waiting"] == 0
    unreadable = item(status=ARRIVED)
    unreadable[1] = b""
    worker.take(unreadable)
    assert worker.desk.stats()["messages_arrived_late"] == 1
    assert worker.desk.stats()["messages_unreadable"] == 1


def test_what_the_operator_asks(worker: Worker) -> None:
    worker.take(item())
    (listed,) = worker.desk.tell("messages.list", [], 0.0)
    assert worker.desk.tell("messages.list", ["lenka"], 0.0) == [listed]
    assert worker.desk.tell("messages.list", ["lukas"], 0.0) == []
    assert listed[:3] == ("lenka", 1, AT)
    assert worker.desk.tell("messages.delete", ["lenka"], 0.0) == 1
    with pytest.raises(LookupError):
        worker.desk.tell("messages.delete", "lenka", 0.0)
