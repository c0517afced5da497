"""A router: its share of the calls, with their transactions (RFC 3261 §16, §17)."""

import shutil
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
import zmq

from switchboard.auth.failures import Failures
from switchboard.auth.keys import load_or_make_key
from switchboard.bus import frames
from switchboard.bus.actor import Actor
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints, SocketKind
from switchboard.bus.frames import UNDELIVERABLE, flow_of
from switchboard.bus.marks import Marks
from switchboard.bus.outbox import Outbox
from switchboard.bus.peer import Peer as BusPeer
from switchboard.bus.tap import Tap
from switchboard.codec import list_head, pack
from switchboard.core.commands import Delegated, Dialled
from switchboard.core.held_calls import HeldCalls, is_set_of_routers, pack_sums
from switchboard.core.overload import read_stamp
from switchboard.core.qualifying import told_reach, told_silent
from switchboard.core.transaction_log import Store
from switchboard.edge.in_service import BEAT_EVERY_S
from switchboard.media.commands import Ask
from switchboard.presence.reception import WANTED_S
from switchboard.settings.hosts import Component
from switchboard.settings.local import SourceAddresses, own_domains
from switchboard.settings.model import Settings
from switchboard.settings.site import (
    clock_of,
    components,
    edge_here,
    edge_streams,
    edges,
    endpoints_of,
    is_here,
    router_dir,
)
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import Flow
from switchboard.storage.mending import reports
from switchboard.transports.resolve import Resolver, serve_names
from switchboard.transports.sender import TABLES, make_sender
from switchboard.wal.router_log import RouterLog
from switchboard.workers.delegating import Delegating
from switchboard.workers.drained import Drained
from switchboard.workers.fast_path import make_fast_path
from switchboard.workers.leaving import LOOK_S, Leaving
from switchboard.workers.log_lines import FailureLog
from switchboard.workers.media_link import make_media_link
from switchboard.workers.own_requests import WORKERS, AnswerBoxes
from switchboard.workers.router_core import Parts, make_caps, make_core
from switchboard.workers.router_following import RouterFollowing
from switchboard.workers.user_register import make_authenticator

if TYPE_CHECKING:
    from switchboard._native.engine import FastPath

_RECEIVED = frames.head("sip.received")
DIALLED_KEPT = 100
"""Star codes, while the registrar is away."""
TELL_EVERY_S = 0.25
"""Between two frames to the journal: the events are in the log, and the journal commits no more often."""
TELL_LAMPS_EVERY_S = 0.05
"""The same while somebody watches who is in a call."""
LOOK_AROUND_S = 10.0
"""Between two looks at the machine's addresses."""


class RouterService(Actor):
    """Owns the transactions and response contexts of its calls.

    Casts: sip.received from edge-rx -> sip.taken to it, datagrams on the edge's sockets or else sip.send to edge-tx
    and sip.translate to the translator, call.happened to the journal until call.acknowledged; router.beat to the edge;
    request.wanted from workers -> request.answered to them.
    Questions: auth.failing, calls.held, calls.end, bindings.reach, router.drain. Follows location.changed with a
    replica of the bindings, users.number and rules.number with replicas of those, and phrases.tables. sip.delegated to
    the presence worker, for what that answers.
    """

    name = "router"
    fast_path: "FastPath | None" = None

    def __init__(self, settings: Settings, context: BusContext, instance: int) -> None:
        endpoints = endpoints_of(settings)
        self._settings = settings
        self._instance = instance
        self._clock = clock_of(settings)
        directory = router_dir(instance, settings)
        self._files = directory, directory / "bindings"
        self._log = RouterLog(directory)
        self._store = self._make_store()
        self._sender = make_sender(settings, context, endpoints)
        self._journal = BusPeer(context, endpoints.inbox("journal"))
        self._happened = frames.head("call.happened") + pack([instance, self._log.series, None])[:-1]
        self._tells_clock = not is_here("journal.0", settings)
        self._edge_rx = [
            BusPeer(context, endpoints.inbox("edge-rx", each)) for each in range(len(edges(settings)))
        ]
        self.outboxes: list[Outbox] = [*self._sender.outboxes]
        self._delegated: Delegating | None = None
        self._dialled: Outbox | None = None
        if settings.star_codes.actions:
            self._dialled = Outbox(context, endpoints.inbox("registrar"), "rules.dialled", DIALLED_KEPT)
            self.outboxes.append(self._dialled)
        if Component.PRESENCE in components(settings):
            presence, log = endpoints.inbox("presence"), self._log
            self._delegated = Delegating(context, presence, instance, log.keyed, log.is_rebooted)
            self.outboxes.append(self._delegated.outbox)
        self._calls_wanted_until = 0.0
        owner = f"router.{instance}"
        self._answer_boxes = AnswerBoxes(context, endpoints, self.outboxes)
        self._answer_boxes.announce(instance, (name for name in WORKERS if name in components(settings)))
        self._marks = Marks(owner, self._sender.stream_outboxes)
        taps = endpoints.listen(owner, SocketKind.PUBLISHER)
        self._tap = self._sender.tap = Tap(context, taps, owner, (each.peer for each in self.outboxes))
        self._key = load_or_make_key(settings.auth_key_path)
        self._failures, self._failure_log = Failures(), FailureLog()
        issuer = f"router.{instance} {self._log.issuer}"
        self._authenticator = make_authenticator(
            settings, self._key, issuer, self._log.nonces, self._failures
        )
        self._following = RouterFollowing(
            settings, context, endpoints, instance, self._clock, self._authenticator
        )
        self.outboxes += self._following.outboxes
        self.writings = [self._log.writing, *self._following.writings]
        self._source_address = SourceAddresses(settings)
        self._resolver = Resolver(
            self._source_address, partial(serve_names, may_be_private=settings.private_names)
        )
        self._caps = make_caps(settings, self._following.replica)
        self._edge_here = edge_here(settings)
        self._media = make_media_link(settings)
        self._core = make_core(settings, self._parts(), self._store)
        self._following.replica.tell = self._following.rules.tell = self._core.bindings_changed
        self.fast_path = make_fast_path(
            self._core, self._log, self._sender, self._marks, self._clock.offset, self._media
        )
        self._next_look = time.monotonic()
        self._away = self._sender.away
        self._has_left = False
        self._next_telling = 0.0
        self._bad_items = 0
        self._following.start(time.monotonic())
        if (replica := self._following.replica).is_loaded:
            structlog.get_logger().info("bindings loaded", number=replica.number)
        self._held_calls = HeldCalls(self._log.keyed, instance)
        self._leaving = Leaving(self._log, instance) if instance >= settings.routers else None
        self._drained = Drained(self._log, directory)
        self._next_beat = time.monotonic()
        for report in reports(*self._files):
            structlog.get_logger().warning(str(report))
        self._take_over()

    def subscriptions(self, endpoints: Endpoints) -> list[str]:
        """The changes of the registrars, and the translator's tables."""
        return [*self._following.publishers(endpoints), endpoints.publisher("translator")]

    def subscribed(self, sockets: Sequence[zmq.Socket[bytes]]) -> None:
        """What it follows; the translator's tap is another's business."""
        *registrars, translator = sockets
        translator.subscribe(frames.head(TABLES))
        self._following.subscribed(registrars)

    def watch(self) -> dict[int, Callable[[float], None]]:
        """Names that were resolved, and the tap."""
        media = dict.fromkeys(self._media.fds, self._take_relayed) if self._media else {}
        return {self._resolver.fd: self._take_answers} | self._tap.watch() | media

    def receive_frame(self, frame: bytes) -> int | None:
        """Take what stays packed: datagrams, if the core has them so, and changes of the bindings."""
        if frame.startswith(_RECEIVED):
            return self._core.receive(frame, len(_RECEIVED), time.monotonic(), self._clock.at())
        return 1 if self._following.take_frame(frame, time.monotonic()) else None

    def receive(self, subject: str, body: Any, now: float) -> None:
        """Take messages, errors and restarts of those who send them, changes of bindings, acknowledgements."""
        match subject, body:
            case "sip.received", list(items):
                self._core.receive_items(items, now, self._clock.at())
            case "request.wanted", list(items):
                self._send_own(items, now)
            case "sip.undeliverable", list(items):
                self._take_undeliverable(items, now, self._clock.at())
            case "sip.mark", [int(stream), float(stamp)]:
                self._bad_items += not self._marks.take(stream, stamp)
            case "stream.restarted", [int(stream)]:
                self._repeat(stream, now)
            case "phrases.tables", tables:
                self._bad_items += not self._sender.take_tables(tables, now)
            case "call.acknowledged", [str(series), int(number)]:
                self._log.acknowledge(series, number, now)
            case "delegated.taken", [str(life), int(number)] if self._delegated is not None:
                self._delegated.taken(life, number)
            case "calls.wanted", [] if self._delegated is not None:
                self._calls_wanted_until = now + WANTED_S
            case "call.held", [str(series)]:
                self._log.held(series, now)
            case _:
                self._bad_items += not self._following.receive(subject, body, now)

    def _send_own(self, items: list[Any], now: float) -> None:
        requests, bad = self._answer_boxes.read(items)
        self._bad_items += bad
        self._core.send_own(requests, now, self._clock.at())

    def _repeat(self, stream: int, now: float) -> None:
        """Send again what a former process of that edge-stream may have lost.

        A connection that has not been made yet is named by the place that its edge-stream has among those of its edge.
        """
        if not 0 <= stream < edge_streams(self._settings):
            return
        streams = self._settings.edge_streams
        for instance in dict.fromkeys((stream, stream % streams)):
            self._core.repeat(instance, streams, now, self._clock.at())
        self._sender.repeat_acks(stream)

    def answer(self, question: str, body: Any) -> Any:
        """auth.failing: whose phones keep failing to prove a password; calls.held: what goes to other routers now.

        calls.end: ends a call by these requests; why not, "" for each that is under way. bindings.reach: whether the
        phones of these users answer, or with None, those that do not. router.drain: whether to take no new calls.
        """
        if question == "calls.end" and isinstance(body, list):
            return [self._end_call(each) for each in body]
        if question == "bindings.reach":
            return self._tell_reach(body)
        match question, body:
            case "calls.held", [*numbers] if is_set_of_routers(numbers):
                return self._tell_held_calls(frozenset(numbers))
            case "router.drain", bool(wanted):
                self._drained.set(wanted)
                self._beat(time.monotonic())
                return self._drained.note()
        if question != "auth.failing":
            raise LookupError(question)
        return self._authenticator.failing.often() if self._authenticator else []

    def _tell_reach(self, body: Any) -> dict[str, list[list[object]]]:
        qualifier, at = self._core.proxy.qualifier, self._clock.at()
        if qualifier is None:
            return {}
        if not isinstance(body, list):
            return told_silent(qualifier.silent, at)
        users = (user for user in body if isinstance(user, str))
        return {user: told_reach(known, at) for user in users if (known := qualifier.reaches.get(user))}

    def _end_call(self, raw: object) -> str:
        if not isinstance(raw, bytes):
            return "this is no request"
        try:
            return self._core.end_call(raw, time.monotonic(), self._clock.at())
        except ParseError as error:
            return str(error)

    def _beat(self, now: float) -> None:
        """Tell the edge that this router is there, whether it is drained, and whether it can serve: it has to know who
        is registered, and to reach who sends.
        """
        self._next_beat = now + BEAT_EVERY_S
        is_ready = self._following.is_fresh(now) and self._sender.is_open
        for peer in (*self._edge_rx, *self._sender.stream_peers):
            peer.send("router.beat", [self._instance, self._drained.is_set, is_ready])

    def _tell_held_calls(self, routers: frozenset[int]) -> bytes:
        sums = self._held_calls.sums(routers)
        if self._leaving:
            self._leaving.answered(routers, len(sums), time.monotonic())
        return pack_sums(sums)

    def is_ready(self) -> bool:
        """Once it hears the registrar: a phone that registers may be called at once."""
        return self._following.is_current

    def next_deadline(self) -> float | None:
        """The next transaction's timer, event to be told again, look around, or try to write the log."""
        events, core = self._log.events, self._core
        first = min(self._next_look, self._next_beat, self._sender.due_at, self._log.keyed.retry_at)
        if self._sender.has_lost:
            return 0.0
        due = core.next_deadline if self.fast_path is None else core.reference_deadline
        media = self._media.next_deadline() if self._media else None
        deadlines = (self._tap.due_at, due, events.next_deadline(), media)
        for deadline in (*deadlines, self._following.next_deadline()):
            if deadline is not None and deadline < first:
                first = deadline
        return min(first, self._next_telling) if events.has_news else first

    def handle_timer(self, now: float) -> None:
        """Let the transactions' timers fire, and the tap tell; keep up with the machine's addresses."""
        self._tap.handle_timer(now)
        self._sender.handle_timer(now)
        self._advance(now)
        self._following.handle_timer(now)
        if self._media:
            self._media.handle_timer(now)
            self._take_relayed(now)
        if self._away != self._sender.away:
            self._look_around()
        for flow, raw in self._sender.take_lost():
            self._core.undeliverable(Flow.unpack(flow), raw, now, self._clock.at())
        if now >= self._next_beat:
            self._beat(now)
        if now >= self._next_look:
            self._next_look = now + (LOOK_S if self._leaving else LOOK_AROUND_S)
            self._look_around()
            if self._leaving and self._leaving.is_over(now):
                self._leave()

    def _advance(self, now: float) -> None:
        self._core.advance(now, self._clock.at())

    def _look_around(self) -> None:
        away = self._away = self._sender.away
        if self._source_address.refresh(away):
            self._core.own(own_domains(self._settings, away))

    def _leave(self) -> None:
        """There is nothing left to do, and `close` is to leave nothing behind."""
        self._has_left = True
        signal.raise_signal(signal.SIGTERM)

    def flush(self) -> None:
        """Write ahead, then send what the drain decided; responses go past a translator that is away."""
        self._carry_out()
        if self._authenticator:
            self._log.keep_nonces(self._authenticator.take_changes())
        now = time.monotonic()
        effects = self._core.take(now)
        if self._delegated is not None:
            self._delegated.put(map(_as_item, effects.delegated))
        self._keep(effects.events)
        for question in effects.lookups:
            self._resolver.ask(question)
        if self._media:
            self._ask_engines(effects.asks, now)
        self._following.tell_turns()
        if self._dialled is not None:
            self._dialled.put_all(map(_as_item, effects.dialled))
        if self._delegated is not None and effects.led and now < self._calls_wanted_until:
            self._delegated.outbox.peer.send("call.led", effects.led)
        self._sender.put_packed(*effects.responses)  # first: a BYE or NOTIFY may stand right behind its 200
        self._sender.put_packed(*effects.requests)
        self._sender.flush()
        self._marks.give_back()
        if answers := self._core.own_answers():
            self._answer_boxes.put(answers)
        super().flush()
        if self._delegated is not None:
            self._delegated.mark()
        if now >= self._next_telling:
            self._tell_journal(now)
        if self.fast_path is not None:
            self.fast_path.tell_at = self._next_telling

    def _ask_engines(self, asks: Sequence[Ask], now: float) -> None:
        assert self._media is not None
        if asks:
            self._media.ask(asks, now)
        if self.fast_path is not None and self._core.engine is not None:
            self._core.engine.media_gone = self._media.gone
            self.fast_path.ask()

    def _keep(self, events: Sequence[bytes]) -> None:
        """What a successor needs is in the log."""
        if events:
            self._log.note(events)
        self._log.commit()

    def tell_frames(self, tell: Callable[[bytes], None] | None) -> None:
        """What it sends on the edge's sockets."""
        self._sender.tell_frames(tell)

    def peers(self) -> Iterable[BusPeer]:
        """The journal, too."""
        return (*super().peers(), self._journal)

    def notes(self) -> list[str]:
        """How well it knows bindings and users, whether names are answered, and what was lost of its files."""
        leaving = (
            [self._leaving.note()]
            if self._leaving
            else [self._drained.note()]
            if self._drained.is_set
            else []
        )
        media = self._media.notes() if self._media else []
        damaged = map(str, reports(*self._files))
        return [
            *leaving,
            *self._following.notes(),
            *self._resolver.notes(),
            *media,
            *damaged,
        ]

    def stats(self) -> dict[str, float]:
        """Counters of the core, and what it holds."""
        return {
            **self._core.stats(),
            **self._resolver.stats(),
            **self._sender.stats(),
            **self._media_stats(),
            "bad_items": self._bad_items + self._core.bad_items,
            **self._qualifying(),
            "auth_failed": self._failures.count,
            "auth_challenged": self._authenticator.challenged if self._authenticator else 0,
            "auth_repeated": self._authenticator.repeated if self._authenticator else 0,
            "answers_withheld": self._core.proxy.env.answers.withheld,
            "auth_unlogged": self._failure_log.unlogged,
            **self._following.stats(),
            "lag_ms": round(self._caps.overload.lag_s * 1e3, 1),
            "delegated_waiting": self._delegated.waiting if self._delegated else 0,
            "events_waiting": self._log.events.waiting,
            "events_dropped": self._log.events.dropped,
            "log_bytes": self._log.size,
            "log_entries": len(self._log),
            "log_unwritten_bytes": self._log.keyed.unwritten,
        }

    def _media_stats(self) -> dict[str, float]:
        if self._media is None:
            return {}
        counters, engine = self._media.stats(), self._core.engine
        if engine is not None:
            counters["media_asked"] += engine.media_asked if engine.has_line else 0
            counters["media_waiting"] += engine.media_waiting
        return counters

    def _qualifying(self) -> dict[str, float]:
        qualifier = self._core.proxy.qualifier
        if qualifier is None:
            return {}
        return {
            "qualify_asked": qualifier.asked,
            "qualify_answers": qualifier.answers,
            "qualify_silent": len(qualifier.silent),
        }

    def close(self) -> None:
        """Let go of the resolver's threads and the log."""
        self._resolver.close()
        if self._media:
            self._media.close()
        self._sender.close()
        self._log.close()
        if self._has_left:
            shutil.rmtree(
                self._log.directory, ignore_errors=True
            )  # a disk that is broken keeps it for the next start

    def _make_store(self) -> Store:
        return self._log.keyed

    def _parts(self) -> Parts:
        return Parts(
            self._instance,
            self._key,
            self._following.replica,
            self._following.rules,
            self._following.turns,
            self._authenticator,
            self._failures,
            self._source_address,
            self._caps,
        )

    def _take_undeliverable(self, items: list[Any], now: float, at: float) -> None:
        for item in items:
            flow = flow_of(item, UNDELIVERABLE)
            if flow is None:
                self._bad_items += 1
            else:
                self._core.undeliverable(flow, item[1], now, at)

    def _tell_how_far(self, stamp: float) -> None:
        """Tell edge-rx what was taken; how late that was, is known on its own host only (clocks differ)."""
        edge, at = read_stamp(stamp)
        self._edge_rx[edge % len(self._edge_rx)].send("sip.taken", [f"router.{self._instance}", stamp])
        if edge == self._edge_here:
            now = time.monotonic()
            self._core.note_lag(now - at, now)

    def _take_answers(self, now: float) -> None:
        for lookup, hops in self._resolver.answers():
            self._core.resolved(lookup, hops, now, self._clock.at(), self._resolver.lasts_s(lookup))

    def _take_relayed(self, now: float) -> None:
        if self._media:
            for token, told in self._media.take(now):
                self._core.relayed(token, told, time.monotonic(), self._clock.at())

    def _carry_out(self) -> None:
        """What goes beyond sending."""
        if self._core.stamps:
            for stamp in self._core.take_stamps():
                self._tell_how_far(stamp)
        if failures := self._failures.take():
            self._failure_log.tell(failures, time.monotonic())

    def _tell_journal(self, now: float) -> None:
        """Many events in one frame: what comes after a quiet time is told at once, the rest gathers."""
        lamps = self._delegated.outbox.peer if self._delegated and now < self._calls_wanted_until else None
        self._next_telling = now + (TELL_LAMPS_EVERY_S if lamps else TELL_EVERY_S)
        events = self._log.events
        if self._tells_clock and events.has_news:
            self._journal.send("clock.told", [self._instance, self._log.series, self._clock.at()])
        while True:
            count, octets, last = events.take(now)
            if not count:
                return
            frame = self._happened + list_head(count) + octets
            if lamps:
                lamps.send_frame(frame)
            if not self._journal.send_frame(frame):
                return
            events.told(last, now)

    def _take_over(self) -> None:
        if self._log.is_rebooted:
            self._core.forget_units()
        restored = self._core.restore(time.monotonic(), self._clock.at())
        if restored:
            structlog.get_logger().info("transactions taken over", restored=restored)


def _as_item(request: Delegated | Dialled) -> list[object]:
    source, *rest = request
    return [source.pack(), *rest]
