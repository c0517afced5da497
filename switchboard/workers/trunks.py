"""The trunks' worker: registers the switchboard with its providers, as their user agent (RFC 3261 §10)."""

import time
from functools import partial
from typing import Any

from switchboard.auth.keys import load_or_make_key
from switchboard.bus.actor import Actor
from switchboard.bus.context import BusContext
from switchboard.bus.outbox import Outbox
from switchboard.core.own_requests import Answer
from switchboard.settings.model import Settings
from switchboard.settings.site import clock_of, edge_streams, endpoints_of
from switchboard.settings.trunks import register_over_streams
from switchboard.sip.flow import Flow, FlowError
from switchboard.storage.writing import Writing
from switchboard.workers.own_requests import Requester
from switchboard.workers.run import run_actor
from switchboard.workers.trunk_registering import Registering

LOOK_S = 1.0
"""Between two looks at the clock, which others may set."""


class TrunksService(Actor):
    """Owns the registrations with providers; each is on the disk before it is acted upon.

    Casts: request.wanted to routers -> request.answered. connection.closed and stream.restarted from edge-streams:
    registers again; connection.silent to them. Questions: trunks.list; trunks.try: register one of them now.
    """

    name = "trunks"

    def __init__(self, settings: Settings, context: BusContext, instance: int) -> None:  # noqa: ARG002
        self._clock = clock_of(settings)
        endpoints = endpoints_of(settings)
        self._requester = Requester(context, endpoints, self.name, settings.routers, 64 * settings.t1_s)
        self._silent = [
            Outbox(context, endpoints.inbox("edge-stream", each), "connection.silent")
            for each in range(edge_streams(settings) if register_over_streams(settings.trunks) else 0)
        ]
        self.outboxes = [*self._requester.outboxes, *self._silent]
        key = load_or_make_key(settings.auth_key_path)
        writing = Writing("trunks", "no REGISTER leaves, since its number has to be on the disk first")
        self.writings = [writing]
        self._trunks = {
            name: Registering(trunk, settings, key, writing, self._clock.at())
            for name, trunk in settings.make_trunks().items()
        }
        self._bad_casts = 0
        self._next_look = 0.0

    def receive(self, subject: str, body: Any, now: float) -> None:
        """Take what became of requests and of connections."""
        match subject, body:
            case "router.restarted", [int(router)]:
                for trunk in self._give_up(self._requester.take_lost(router)):
                    self._register(trunk, now)
            case "request.answered", _:
                for answer in self._requester.take(body):
                    self._take(answer, now)
            case "connection.closed", list(items):
                self._close(items, now)
            case "stream.restarted", [int()]:
                for trunk in self._trunks.values():
                    trunk.doubt(self._clock.at())
                self._next_look = now
            case _:
                self._bad_casts += 1

    def _take(self, answer: Answer, now: float) -> None:
        at = self._clock.at()
        for trunk in self._asked([answer.token]):
            if trunk.take(answer, at):
                self._register(trunk, now)
        for trunk in self._trunks.values():
            if silent := trunk.take_keep_alive(answer.token, bool(answer.raw), at):
                for outbox in self._silent:
                    outbox.put([silent])
        self._next_look = now

    def _close(self, items: list[Any], now: float) -> None:
        for item in items:
            try:
                (packed,) = item
                flow = Flow.unpack(packed)
            except (FlowError, TypeError, ValueError):
                self._bad_casts += 1
                continue
            for trunk in self._trunks.values():
                trunk.close(flow, self._clock.at())
        self._next_look = now

    def _give_up(self, tokens: list[bytes]) -> list[Registering]:
        """Return whose REGISTERs are among requests of which nobody will tell; keep-alives are sent again in time."""
        for trunk in self._trunks.values():
            for token in tokens:
                trunk.take_keep_alive(token, True, self._clock.at())
        return self._asked(tokens)

    def answer(self, question: str, body: Any) -> Any:
        """trunks.list: how each is registered; trunks.try: let it try now, False if there is none of this name."""
        if question == "trunks.list":
            return [each.told(self._clock.at()) for each in self._trunks.values()]
        if question == "trunks.try":
            trunk = self._trunks.get(str(body))
            if trunk is not None and not trunk.is_waiting:
                self._register(trunk, time.monotonic())
            return trunk is not None
        raise LookupError(question)

    def _asked(self, tokens: list[bytes]) -> list[Registering]:
        """The trunks whose last REGISTER has one of these tokens: an earlier one's answer says nothing of it."""
        return [each for each in self._trunks.values() if each.token in tokens]

    def next_deadline(self) -> float:
        """The next REGISTER, or answer that is missed."""
        due = self._requester.next_deadline()
        return self._next_look if due is None else min(self._next_look, due)

    def handle_timer(self, now: float) -> None:
        """Register those whose time has come."""
        self._clock.look()
        at = self._clock.at()
        for trunk in self._give_up(self._requester.take_unheard(now)):
            trunk.miss(at)
        for trunk in self._trunks.values():
            if trunk.is_due(at):
                self._register(trunk, now)
            alive_at = trunk.alive_at(at)
            if alive_at is not None and alive_at <= at:
                token, raw, flow = trunk.keep_alive(at)
                self._requester.ask(token, raw, now, flow=flow)
        dues = [due for each in self._trunks.values() for due in (each.next_at, each.alive_at(at))]
        waits = [due - at for due in dues if due is not None]
        self._next_look = now + max(0.0, min([LOOK_S, *waits]))

    def notes(self) -> list[str]:
        """Those that are not registered, and why."""
        at = self._clock.at()
        return [note for each in self._trunks.values() if (note := each.note(at))]

    def stats(self) -> dict[str, float]:
        """Trunks, those that are registered, and what was sent."""
        at, trunks = self._clock.at(), self._trunks.values()
        return {
            "trunks": sum(each.registers for each in trunks),
            "trunks_registered": sum(each.is_registered(at) for each in trunks),
            "trunk_registers": sum(each.sent for each in trunks),
            "trunk_refusals": sum(each.refusals for each in trunks),
            "trunk_losses": sum(each.losses for each in trunks),
            "bad_items": self._bad_casts,
            **self._requester.stats(),
        }

    def _register(self, trunk: Registering, now: float) -> None:
        raw = trunk.request(self._clock.at())
        if raw:
            self._requester.ask(trunk.token, raw, now)
        self._next_look = now


run = partial(run_actor, TrunksService)

if __name__ == "__main__":
    run()
