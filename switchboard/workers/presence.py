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
from switchboard.presence.reception import Reception
from switchboard.settings.model import Settings
from switchboard.settings.site import clock_of, endpoints_of
from switchboard.transports.sender import TABLES, make_sender
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
        self._reception = Reception({}, 64 * settings.t1_s)
        self._items: list[Any] = []
        self._bad_casts = 0
        self._next_purge = 0.0

    def subscriptions(self, endpoints: Endpoints) -> list[str]:
        """The translator's tables."""
        return [endpoints.publisher("translator")]

    def subscribed(self, sockets: Sequence[zmq.Socket[bytes]]) -> None:
        """Its tap is another's business."""
        for each in sockets:
            each.subscribe(frames.head(TABLES))

    def receive(self, subject: str, body: Any, now: float) -> None:
        """Gather a round's requests."""
        match subject, body:
            case "sip.delegated", list(items):
                self._items += items
            case "phrases.tables", tables:
                self._bad_casts += not self._sender.take_tables(tables, now)
            case _:
                self._bad_casts += 1

    def next_deadline(self) -> float:
        """The next time to forget old answers, or what the sender has to do."""
        return min(self._next_purge, self._sender.due_at)

    def handle_timer(self, now: float) -> None:
        """Forget old answers."""
        self._sender.handle_timer(now)
        if now >= self._next_purge:
            self._next_purge = now + PURGE_EVERY_S
            self._clock.look()
            self._reception.purge(now)

    def flush(self) -> None:
        """Answer what the round has brought."""
        items, self._items = self._items, []
        now, at = time.monotonic(), self._clock.at()
        self._reception.begin()
        for item in items:
            if answer := self._reception.take(item, now, at):
                self._sender.put_packed(1, answer)
        self._sender.flush()
        super().flush()

    def stats(self) -> dict[str, float]:
        """Counters."""
        counters = self._reception.stats()
        return {**counters, **self._sender.stats(), "bad_items": counters["bad_items"] + self._bad_casts}

    def close(self) -> None:
        """Let go of the sockets."""
        self._sender.close()
        for outbox in self.outboxes:
            outbox.close()


run = partial(run_actor, PresenceService)

if __name__ == "__main__":
    run()
