"""The presence worker: answers for the users who is there, who is on the phone (RFC 6665, RFC 3903)."""

import secrets
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import structlog
import zmq

from switchboard.bus import frames
from switchboard.bus.actor import Actor
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.peer import Peer
from switchboard.core.record_route import place_of
from switchboard.core.request import user_of
from switchboard.messages.summary import MessageSummary
from switchboard.presence.core import PresenceCore
from switchboard.presence.reception import Reception
from switchboard.presence.store import PresenceStore
from switchboard.presence.watching import Limits, Watchers
from switchboard.registrar.follower import Follower, StoreFollower
from switchboard.registrar.following import Following
from switchboard.registrar.replica import Replica
from switchboard.settings.local import own_domains
from switchboard.settings.model import Settings
from switchboard.settings.site import clock_of, endpoints_of, is_here, router_numbers, store_of
from switchboard.sip.flow import Flow, bracketed
from switchboard.storage.mending import reports
from switchboard.storage.unusable import NotWritten
from switchboard.storage.writing import RETRY_S
from switchboard.transports.sender import TABLES, make_sender
from switchboard.workers.delegating import Taken
from switchboard.workers.followed_calls import FollowedCalls
from switchboard.workers.messages import METHOD, TOKEN, MessageDesk, is_text
from switchboard.workers.own_requests import Requester
from switchboard.workers.registrar_hearing import Hearing, take_change
from switchboard.workers.run import run_actor

TICK_S: Final = 1.0
NOTIFIES_AT_ONCE: Final = 100
"""In one round: what has come meanwhile is answered before the next ones."""
GATHER_S: Final = 0.01
"""From one commit to the next."""
GIVE_AGAIN_S: Final = 0.1
LISTED_AT_ONCE: Final = 500
CALLS_KNOWN_WITHIN_S: Final = 3.0
"""After a start lamps are told nothing until the journal has said which calls there are; at most so long."""


class PresenceService(Actor):
    """Owns subscriptions and publications; they are on disk before an answer or a NOTIFY leaves.

    Casts: sip.delegated from routers -> datagrams on the edge's sockets, or else sip.send to edge-tx and
    sip.translate to the translator; request.wanted to routers -> request.answered; calls.wanted to routers ->
    call.happened. Follows location.changed with a replica of the bindings, and phrases.tables.
    Asks the journal for call.list. Questions: subscriptions.list, subscriptions.end.
    """

    name = "presence"

    def __init__(self, settings: Settings, context: BusContext, instance: int) -> None:  # noqa: ARG002
        endpoints = endpoints_of(settings)
        self._settings = settings
        self._files = (settings.presence_path, settings.messages_path)
        self._clock = clock_of(settings)
        self._own = own_domains(settings)
        self._plan = settings.make_dial_plan()
        self._sender = make_sender(settings, context, endpoints)
        routers = router_numbers(settings)
        self._requester = Requester(context, endpoints, self.name, settings.routers, 64 * settings.t1_s)
        self._routers = {each: Peer(context, endpoints.inbox("router", each)) for each in routers}
        self._taken = Taken(self._routers, secrets.token_hex(4))
        self._next_giving = 0.0
        self.outboxes = [*self._sender.outboxes, *self._requester.outboxes]
        self._replica = Replica()
        here = [each for each in range(settings.registrars) if is_here(f"registrar.{each}", settings)]
        self._hearing = Hearing(here)
        self._follower = self._follow(here)
        self._core = PresenceCore(
            self._replica,
            Watchers(settings.watchers == "all"),
            Limits(settings.min_expires, settings.max_expires),
            self._place,
            self._user_of,
            self._clock.at,
        )
        self._store = PresenceStore(settings.presence_path)
        self.writings = [self._store.writing]
        self._calls = FollowedCalls(self._core.calls, context, endpoints.ask("journal"))
        self._messages = self._make_desk(settings)
        own = {METHOD: self._messages} if self._messages else {}
        self._reception = Reception({**self._core.handlers, **own}, 64 * settings.t1_s)
        self._items: list[Any] = []
        self._bad_casts = 0
        self._next_tick = self._next_try = 0.0
        self._has_worked = False
        self._follower.start(time.monotonic())
        self._core.load(self._store.read(), self._clock.at())
        self._held_until = time.monotonic() + CALLS_KNOWN_WITHIN_S
        self._core.watching.held = "dialog" if self._follows_calls else ""
        if count := len(self._core.watching.subscriptions):
            structlog.get_logger().info("subscriptions go on", count=count)
        for report in reports(*self._files):
            structlog.get_logger().warning(str(report))

    def _follow(self, registrars: Sequence[int]) -> Follower:
        """Those of this host."""

        def make(registrar: int) -> Follower:
            return StoreFollower(self._replica, store_of(registrar, self._settings))

        if len(registrars) == 1:
            return make(registrars[0])
        return Following(self._replica, registrars, make, self._hearing.follow)

    def _make_desk(self, settings: Settings) -> MessageDesk | None:
        if not settings.keep_messages_days:
            return None
        desk = MessageDesk(settings, self._requester, time.monotonic(), self._clock.at())
        self.writings = [*self.writings, *desk.writings]
        summary = MessageSummary(desk.desk.count)
        self._core.packages[summary.name] = summary
        return desk

    def subscriptions(self, endpoints: Endpoints) -> list[str]:
        """The registrar's changes, and the translator's tables."""
        return [*self._hearing.publishers(endpoints), endpoints.publisher("translator")]

    def subscribed(self, sockets: Sequence[zmq.Socket[bytes]]) -> None:
        """Changes of bindings; the translator's tap is another's business."""
        *registrars, translator = sockets
        self._hearing.opened(registrars)
        translator.subscribe(frames.head(TABLES))

    def is_ready(self) -> bool:
        """Once it knows who is registered."""
        return self._follower.is_current

    def receive_frame(self, frame: bytes) -> int | None:
        """Take changes of the bindings as they are packed."""
        now = time.monotonic()
        heard = take_change(self._follower, frame, now)
        if heard is None:
            return None
        if self._messages:
            self._messages.changed(frame, heard.start, now)
        return 1

    def receive(self, subject: str, body: Any, now: float) -> None:
        """Gather a round's requests; take the answers to NOTIFYs, and what has happened to calls."""
        match subject, body:
            case "sip.delegated", list(items):
                self._items += items
            case "delegated.mark", [int(router), int(number)]:
                self._bad_casts += not self._taken.take(router, number)
            case "request.answered", list():
                if self._messages:
                    self._messages.heard(body, now)  # a predecessor may have asked, too
                for answer in self._requester.take(body):
                    is_own = not answer.raw
                    self._core.watching.answered(answer.token, answer.status, is_own, self._clock.at())
            case "router.restarted", [int(router)]:
                self._decide_anew(self._requester.take_lost(router), now)
            case "call.happened", [int(router), str(series), list(events)]:
                self._calls.take(router, series, events)
            case "call.led", list(items):
                self._calls.lead(items, self._clock.at())
            case "location.number", [int(number)]:
                self._follower.told(number, now)
            case "location.clock", [float(at)]:
                self._follower.told_clock(at, now)
            case "phrases.tables", tables:
                self._bad_casts += not self._sender.take_tables(tables, now)
            case _:
                self._bad_casts += 1

    def next_deadline(self) -> float:
        """The next look around, NOTIFY, or end of something; the next try while nothing can be written."""
        due = min(self._next_tick, self._sender.due_at)
        if (follows := self._follower.next_deadline()) is not None:
            due = min(due, follows)
        if self._taken.is_waiting:
            due = min(due, self._next_giving)
        if self._follows_calls:
            due = min(due, self._calls.due_at)
        if self._messages:
            due = min(due, self._messages.next_deadline())
        if self._store.writing.error:
            return min(due, self._next_try)
        if (at := self._core.next_deadline()) is not None:
            due = min(due, time.monotonic() + max(0.0, at - self._clock.at()))
        return due

    def handle_timer(self, now: float) -> None:
        """Let end what is over; look around once in TICK_S."""
        self._sender.handle_timer(now)
        self._follower.handle_timer(now)
        if self._store.writing.error and now >= self._next_try:
            self._next_try = now + RETRY_S
            self._store.try_again()
        if self._follows_calls and now >= self._calls.due_at:
            for router in self._routers.values():
                router.send("calls.wanted", [])
            self._calls.look(now, self._clock.at())
        if self._core.watching.held and (self._calls.compared or now >= self._held_until):
            self._core.watching.release(self._clock.at())
        if self._messages:
            self._messages.handle_timer(now, self._clock.at())
        if now < self._next_tick:
            return
        self._next_tick = now + TICK_S
        self._clock.look()
        self._own = own_domains(self._settings, self._sender.away)
        self._reception.purge(now)
        self._decide_anew(self._requester.take_unheard(now), now)

    def _decide_anew(self, tokens: list[bytes], now: float) -> None:
        """No router will say what became of these requests."""
        for token in tokens:
            if self._messages and token.startswith(TOKEN):
                self._messages.unheard(token, now)
            else:
                self._core.watching.answered(token, 0, True, self._clock.at())

    def pause_s(self) -> float:
        """A commit costs as much as some answers; what comes after a quiet time is answered at once."""
        return GATHER_S if self._has_worked else 0.0

    def flush(self) -> None:
        """Answer what the round has brought, and send the NOTIFYs that are due, once what they need is durable."""
        items, self._items = self._items, []
        now, at = time.monotonic(), self._clock.at()
        if self._messages and (texts := [item for item in items if is_text(item)]):
            items = [item for item in items if not is_text(item)]
            for each in self._messages.answer(self._reception, texts, now, at):
                self._sender.put_to_edge(1, each)
        self._reception.begin()
        answers = [self._reception.take(item, now, at) for item in items]
        for user in self._messages.desk.take_changed() if self._messages else ():
            self._core.watching.changed(MessageSummary.name, user, at)
        self._core.expire(at)
        due = [] if self._store.writing.error else self._core.watching.take_due(at, NOTIFIES_AT_ONCE)
        try:
            self._store.write(self._core.take_changes())
        except NotWritten:
            self._reception.undo()
            self._core.load(self._store.read(), at)
            answers = [self._reception.refuse(item, now) for item in items]
            due = []
        self._has_worked = bool(answers or due)
        for answer in filter(None, answers):
            self._sender.put_packed(1, answer)
        self._sender.flush()  # first: a NOTIFY stands behind the answer to its SUBSCRIBE
        for token, raw, flow, watcher in due:
            self._requester.ask(token, raw, now, flow=flow, user="" if flow else watcher)
        super().flush()
        if self._taken.is_waiting:
            self._taken.give_back()  # what was answered is on its way
            self._next_giving = now + GIVE_AGAIN_S

    def answer(self, question: str, body: Any) -> Any:
        """subscriptions.list: some of them, after so many; subscriptions.find: of those with a text.

        subscriptions.end: whether there was one with that tag.

        messages.*: see `MessageDesk`. NotWritten.
        """
        if self._messages and question.startswith("messages."):
            return self._messages.tell(question, body, time.monotonic())
        match question, body:
            case "subscriptions.list", int(start):
                return self._core.listed(max(0, start), LISTED_AT_ONCE, self._clock.at())
            case "subscriptions.find", [str(text), int(start), int(most)]:
                most = max(0, min(most, LISTED_AT_ONCE))
                return self._core.find(text, max(0, start), most, self._clock.at())
            case "subscriptions.end", str(tag):
                return self._core.watching.end(tag, "deactivated", self._clock.at())
        raise LookupError(question)

    @property
    def _follows_calls(self) -> bool:
        return self._core.watching.watches("dialog")

    def peers(self) -> list[Peer]:
        """The routers, too."""
        return [*super().peers(), *self._routers.values()]

    def notes(self) -> list[str]:
        """How well it knows the bindings, and what was lost of its files."""
        damaged = map(str, reports(*self._files))
        return [*self._follower.notes(time.monotonic()), *damaged]

    def stats(self) -> dict[str, float]:
        """Counters."""
        counters = self._reception.stats()
        return {
            **counters,
            **self._core.stats(),
            **self._calls.stats(),
            **self._requester.stats(),
            **self._sender.stats(),
            **(self._messages.stats() if self._messages else {}),
            "bad_items": counters["bad_items"] + self._bad_casts,
        }

    def close(self) -> None:
        """Let go of the store and the sockets."""
        self._store.close()
        if self._messages:
            self._messages.close()
        self._calls.close()
        self._sender.close()
        for outbox in self.outboxes:
            outbox.close()
        for router in self._routers.values():
            router.close()

    def _place(self, user: str, flow: Flow) -> str:
        """Where the other end of a flow reaches a user here."""
        place = place_of("sip", bracketed(flow.local), flow.transport, self._own)
        return place.replace("sip:", f"sip:{user}@", 1)

    def _user_of(self, uri: str) -> str:
        user = user_of(uri, self._own)
        return self._plan.alias(user) if self._plan and user else user


run = partial(run_actor, PresenceService)

if __name__ == "__main__":
    run()
