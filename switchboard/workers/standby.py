"""A router that takes part in `router_standby`: it ships its calls to another one, or takes over those of others.

Theory: `wal/shipping.py` says what is shipped, `edge/arbiter.py` who decides that a router is dead. A router that ships
acts only during its lease. Without one it goes on in memory, but writes, sends and reports nothing; the lease comes
back with the edge's next word. If that word names another term than the router's own, another router has its calls:
it erases its saved transactions and ends, and its successor begins anew. Its call events stay in the log. The standby
router has told the journal the same ones, and the journal takes each of them once.
"""

import secrets
import signal
import time
from collections.abc import Sequence
from math import inf
from typing import Any, Final

import structlog

from switchboard.bus.actor import Actor
from switchboard.bus.context import BusContext
from switchboard.bus.peer import Peer, Says
from switchboard.codec import pack, unpack
from switchboard.core.saved_transaction import SavedTransaction
from switchboard.core.transaction_log import BASE, STATE, Store
from switchboard.edge.arbiter import ALIVE_S, LEASE_SHARE
from switchboard.edge.terms import HEAD, label
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of, standbys_of
from switchboard.wal.event_ring import EVENT, TERM, event_number
from switchboard.wal.shipping import Copy, Head, ShippedLog, body_of, read_body
from switchboard.workers.router import RouterService

BATCHES_A_ROUND: Final = 2
SOON_S: Final = 0.01
ASK_EVERY_S: Final = 0.25
ALIKE_S: Final = 1.0
"""Clocks of two hosts that differ by less count as one, as for the journal."""
UNKNOWN: Final = -1
_AT = 3  # in a call event


class LabellingMouth:
    """Labels what routers send (`edge/terms.py`); other frames pass as they are."""

    def __init__(self, mouth: Says, router: int, term: int) -> None:
        self._mouth = mouth
        self._label = label(router, term)

    def send(self, frame: bytes) -> bool:
        """As the one behind it."""
        if frame.startswith(HEAD):
            frame = self._label + frame[len(HEAD) :]
        return self._mouth.send(frame)


class ClosedMouth:
    """Takes nothing."""

    def send(self, frame: bytes) -> bool:  # noqa: ARG002
        """Never."""
        return False


class StandbyRouter(RouterService):
    """Casts besides: router.alive to edge-rx -> router.term; calls.shipped to its standby router, which may send
    calls.wanted. Takes calls.shipped of those whose standby router it is, and calls.take_over of edge-rx.
    """

    def __init__(self, settings: Settings, context: BusContext, instance: int) -> None:
        standbys, endpoints = standbys_of(settings), endpoints_of(settings)
        self._copies = {number: Copy() for number, other in standbys.items() if other == instance}
        self._taken = dict.fromkeys(self._copies, UNKNOWN)
        self._held_until: dict[int, float] = {}
        self._may_hold = True
        self._linger_s = 64 * settings.t1_s
        self._wanted_at = dict.fromkeys(self._copies, -inf)
        self._ships = instance in standbys
        self._life = secrets.token_hex(4)
        self._lease_s = LEASE_SHARE * settings.router_standby_after_s
        self._lease_until = -inf if self._ships else inf
        self._next_sign = 0.0
        self._is_over = False
        self._held_rounds = 0
        super().__init__(settings, context, instance)
        self._others = {
            number: Peer(context, endpoints.inbox("router", number))
            for number in {*self._copies, *([standbys[instance]] if self._ships else [])}
        }
        self._standby = self._others[standbys[instance]] if self._ships else None
        if self._ships:
            self.fast_path = None
            self._label()
            self._begin()

    def receive(self, subject: str, body: Any, now: float) -> None:
        """Take what the edge and other routers say of terms and shipped calls; else as any router."""
        match subject, body:
            case "router.term", [int(term), float(stamp)]:
                self._take_term(term, stamp)
            case "calls.wanted", [int(_)]:
                self._begin()
            case "calls.shipped", list():
                self._take_shipped(body, now)
            case "calls.take_over", [int(router), int(term)]:
                self._take_over_from(router, term, now)
            case _:
                super().receive(subject, body, now)

    def next_deadline(self) -> float | None:
        """The next sign of life, too; without a lease nothing else."""
        first = self._next_sign
        if self._ships and self._shipped.has_news:
            first = min(first, time.monotonic() + SOON_S)
        if not self._has_lease(time.monotonic()):
            return self._next_sign
        due = super().next_deadline()
        return first if due is None else min(first, due)

    def handle_timer(self, now: float) -> None:
        """Give a sign of life; let fire what is due."""
        if now >= self._next_sign:
            self._next_sign = now + ALIVE_S
            self._sign(now)
        super().handle_timer(now)

    def flush(self) -> None:
        """As any router, if it may act."""
        if self._has_lease(time.monotonic()):
            super().flush()
        else:
            self._held_rounds += 1
            Actor.flush(self)

    def peers(self) -> list[Peer]:
        """Those that it ships to, or gets calls of, too."""
        return [*super().peers(), *self._others.values()]

    def notes(self) -> list[str]:
        """Whether it waits for the edge."""
        if self._has_lease(time.monotonic()):
            return super().notes()
        return ["does nothing until the edge says that it may", *super().notes()]

    def stats(self) -> dict[str, float]:
        """What it ships, and what it has of others."""
        shipped = (
            {
                "shipped": len(self._shipped),
                "unshipped": self._shipped.unshipped,
                "held_rounds": self._held_rounds,
            }
            if self._ships
            else {}
        )
        return super().stats() | shipped | {"copied": sum(map(len, self._copies.values()))}

    def close(self) -> None:
        """Let go of the other routers."""
        for peer in self._others.values():
            peer.close()
        super().close()

    def _make_store(self) -> Store:
        if not self._ships:
            return super()._make_store()
        kept = self._log.keyed
        self._term = int(unpack(kept[TERM])) if TERM in set(kept) else 0
        self._shipped = ShippedLog(kept)
        return self._shipped

    def _label(self) -> None:
        """All that it sends passes the edge's write side, and bears its term."""
        translator, *ways = self._sender.outboxes
        translator.peer.mouth = ClosedMouth()  # whose frames bear no label
        for outbox in ways:
            outbox.peer.mouth = LabellingMouth(outbox.peer.mouth, self._instance, self._term)

    def _begin(self) -> None:
        """Ship everything."""
        if self._ships:
            keyed = self._log.keyed
            self._shipped.begin((event_number(key), keyed[key]) for key in keyed if key[:1] == EVENT)

    def _has_lease(self, now: float) -> bool:
        return now < self._lease_until

    def _advance(self, now: float) -> None:
        if self._has_lease(now):
            super()._advance(now)

    def _keep(self, events: Sequence[bytes]) -> None:
        super()._keep(events)
        if self._ships:
            if events:
                self._shipped.note_events(events, self._log.events.last)
            self._ship(time.monotonic(), self._shipped.has_news)

    def _ship(self, now: float, wanted: bool) -> None:
        """What has changed, ahead of the messages that tell of it; the rest of much of it in the next rounds."""
        assert self._standby is not None
        ring = self._log.events
        for _ in range(BATCHES_A_ROUND):
            if not wanted or not self._standby.takes_frames:
                return
            batch = self._shipped.batch(now)
            acknowledged = ring.last - ring.waiting
            head = Head(self._instance, self._term, self._life, now, self._clock.at(), acknowledged)
            if not self._standby.send("calls.shipped", body_of(head, batch)):
                return
            self._shipped.shipped(batch)
            wanted = self._shipped.has_news

    def _sign(self, now: float) -> None:
        held = self._others_held(now)
        numbers = sorted({*self._copies, *held})
        taken = [[number, self._taken.get(number, UNKNOWN), number in held] for number in numbers]
        term = self._term if self._ships else 0
        for edge in self._edge_rx:
            edge.send("router.alive", [self._instance, term, now, taken])
        if self._ships and self._has_lease(now):
            self._ship(now, wanted=True)

    def _others_held(self, now: float) -> set[int]:
        """Routers whose requests are awaited here to get a response, or were until a moment ago: a 2xx may be repeated
        as long as its ACK is missing.
        """
        if not self._may_hold:
            return set()
        awaited = self._core.others_awaited()
        self._held_until |= dict.fromkeys(awaited, now + self._linger_s)
        held = {number for number, until in self._held_until.items() if now < until}
        self._may_hold = bool(held)
        return held

    def _take_term(self, term: int, stamp: float) -> None:
        if not self._ships or self._is_over:
            return
        if term == self._term:
            self._lease_until = max(self._lease_until, stamp + self._lease_s)
        else:
            self._end(term)

    def _end(self, term: int) -> None:
        """Another router has its calls."""
        structlog.get_logger().warning(
            "was declared dead: its calls are another router's; begins anew", term=term
        )
        keyed = self._log.keyed
        for key in list(keyed):
            if key[:1] in (BASE, STATE):
                keyed.erase(key)
        keyed.put(TERM, pack(term))
        keyed.commit()
        self._is_over, self._lease_until = True, -inf
        signal.raise_signal(signal.SIGTERM)

    def _take_shipped(self, body: list[Any], now: float) -> None:
        found = read_body(body)
        copy = self._copies.get(found[0].router) if found else None
        if found is None or copy is None:
            self._bad_items += 1
            return
        number = found[0].router
        if found[0].term < self._taken[number]:
            return  # it does not know yet that it was declared dead
        if not copy.take(*found, now, self._clock.at()) and now >= self._wanted_at[number]:
            self._wanted_at[number] = now + ASK_EVERY_S
            self._others[number].send("calls.wanted", [self._instance])

    def _take_over_from(self, number: int, term: int, now: float) -> None:
        if number not in self._copies or self._taken[number] == term or not self._has_lease(now):
            return
        self._taken[number] = term
        copy, self._copies[number] = self._copies[number], Copy()
        if copy.term >= term:
            return
        count = self._core.take_in(map(_moved_unit, copy.units(now)), now, self._clock.at())
        events = [_moved_event(*each) for each in copy.events()]
        self._log.note(events)
        if self._ships:
            self._shipped.note_events(events, self._log.events.last)
        self._may_hold, self._next_sign = True, now
        structlog.get_logger().warning("calls taken over", of=f"router.{number}", transactions=count)


def _moved_unit(unit: tuple[bytes, bytes, float, float]) -> SavedTransaction:
    base, state, later_s, silent_s = unit
    return SavedTransaction(unpack(base, lists=False), unpack(state, lists=False)).moved(later_s, silent_s)


def _moved_event(event: bytes, later_s: float) -> bytes:
    if abs(later_s) < ALIKE_S:
        return event
    fields = unpack(event)
    return pack([*fields[:_AT], fields[_AT] + later_s, *fields[_AT + 1 :]])
