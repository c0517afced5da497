"""The presence worker: answers for the users who is there, who is on the phone (RFC 6665, RFC 3903)."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import zmq

from switchboard.bus import frames
from switchboard.bus.actor import Actor
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.presence.reception import Handler, Reception
from switchboard.settings.model import Settings
from switchboard.settings.site import clock_of, endpoints_of
from switchboard.storage.mending import reports
from switchboard.transports.sender import TABLES, make_sender
from switchboard.workers.messages import CHANGED, METHOD, MessageDesk, is_text
from switchboard.workers.run import run_actor

PURGE_EVERY_S = 1.0


class PresenceService(Actor):
    """Answers the requests that routers hand over.

    Casts: sip.delegated from routers -> datagrams on the edge's sockets, or else sip.send to edge-tx and
    sip.translate to the translator. Follows phrases.tables.
    """

    name = "presence"

    def __init__(self, settings: Settings, context: BusContext, instance: int) -> None:  # noqa: ARG002
        self._clock = clock_of(settings)
        self._sender = make_sender(settings, context, endpoints_of(settings))
        self.outboxes = [*self._sender.outboxes]
        self._files = (settings.messages_path,)
        self._messages = self._make_desk(settings, context)
        handlers: dict[str, Handler] = {METHOD: self._messages} if self._messages else {}
        self._reception = Reception(handlers, 64 * settings.t1_s)
        self._items: list[Any] = []
        self._bad_casts = 0
        self._next_purge = 0.0

    def _make_desk(self, settings: Settings, context: BusContext) -> MessageDesk | None:
        if not settings.keep_messages_days:
            return None
        now, at = time.monotonic(), self._clock.at()
        desk = MessageDesk(settings, context, endpoints_of(settings), self.name, now, at)
        self.outboxes = [*self.outboxes, *desk.outboxes]
        self.writings = [*self.writings, *desk.writings]
        return desk

    def subscriptions(self, endpoints: Endpoints) -> list[str]:
        """The translator's tables, and who registers."""
        return [endpoints.publisher("translator"), endpoints.publisher("registrar")]

    def subscribed(self, sockets: Sequence[zmq.Socket[bytes]]) -> None:
        """Its tap is another's business."""
        for each, subject in zip(sockets, (frames.head(TABLES), CHANGED), strict=True):
            each.subscribe(subject)

    def receive_frame(self, frame: bytes) -> int | None:
        """Take changes of the bindings packed."""
        if not frame.startswith(CHANGED):
            return None
        if self._messages:
            self._messages.changed(frame, time.monotonic())
        return 1

    def receive(self, subject: str, body: Any, now: float) -> None:
        """Gather a round's requests."""
        match subject, body:
            case "sip.delegated", list(items):
                self._items += items
            case "request.answered", list(answers):
                if self._messages:
                    self._messages.heard(answers, now)
            case "phrases.tables", tables:
                self._bad_casts += not self._sender.take_tables(tables, now)
            case _:
                self._bad_casts += 1

    def next_deadline(self) -> float:
        """The next time to forget old answers, or what the sender has to do."""
        due = min(self._next_purge, self._sender.due_at)
        return min(due, self._messages.next_deadline()) if self._messages else due

    def handle_timer(self, now: float) -> None:
        """Forget old answers."""
        self._sender.handle_timer(now)
        if now >= self._next_purge:
            self._next_purge = now + PURGE_EVERY_S
            self._clock.look()
            self._reception.purge(now)
        if self._messages:
            self._messages.handle_timer(now, self._clock.at())

    def flush(self) -> None:
        """Answer what the round has brought."""
        items, self._items = self._items, []
        now, at = time.monotonic(), self._clock.at()
        if self._messages and (texts := [item for item in items if is_text(item)]):
            items = [item for item in items if not is_text(item)]
            for each in self._messages.answer(self._reception, texts, now, at):
                self._sender.put_packed(1, each)
        self._reception.begin()
        for item in items:
            if answer := self._reception.take(item, now, at):
                self._sender.put_packed(1, answer)
        self._sender.flush()
        super().flush()

    def answer(self, question: str, body: Any) -> Any:
        """messages.*: see `MessageDesk`. NotWritten."""
        if self._messages and question.startswith("messages."):
            return self._messages.tell(question, body, time.monotonic())
        raise LookupError(question)

    def notes(self) -> list[str]:
        """What was lost of its files."""
        return [*map(str, reports(*self._files))]

    def stats(self) -> dict[str, float]:
        """Counters."""
        counters = self._reception.stats()
        if self._messages:
            counters |= self._messages.stats()
        return {**counters, **self._sender.stats(), "bad_items": counters["bad_items"] + self._bad_casts}

    def close(self) -> None:
        """Let go of the sockets."""
        if self._messages:
            self._messages.close()
        self._sender.close()
        for outbox in self.outboxes:
            outbox.close()


run = partial(run_actor, PresenceService)

if __name__ == "__main__":
    run()
