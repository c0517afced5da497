"""The edge's streams: reads and writes the connections of phones (RFC 3261 §18; TCP, TLS, WebSocket)."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final

import structlog

from switchboard import codec
from switchboard.bus import frames
from switchboard.bus.actor import Actor, FastPath
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import SocketKind
from switchboard.bus.frames import pack_sent
from switchboard.bus.outbox import Outbox, PackedOutbox
from switchboard.bus.peer import Peer
from switchboard.bus.rounds import BatchInterval
from switchboard.bus.tap import Tap
from switchboard.core.refusal import answer_on_stream
from switchboard.edge.admission import KEPT
from switchboard.edge.filter import EdgeFilter
from switchboard.edge.ingress import Ingress
from switchboard.edge.receivers import Receiver
from switchboard.settings.local import own_domains
from switchboard.settings.model import Settings
from switchboard.settings.site import advertised, endpoints_of, leaving_routers
from switchboard.sip.dispatch import REGISTRAR, Dispatcher
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import NAMES, Flow, FlowError
from switchboard.sip.message import Message
from switchboard.sip.respond import warning_of
from switchboard.sip.scan import scan
from switchboard.supervisor.open_files import most_connections
from switchboard.transports.channel import ChannelError
from switchboard.transports.channels import Channels
from switchboard.transports.connection import Connection, Due, StreamLimits
from switchboard.transports.keeper_link import KeeperLink
from switchboard.transports.keeper_words import NAME
from switchboard.transports.listing import Description, describe, page
from switchboard.transports.streams import Streams
from switchboard.workers.arbiter import fence_for
from switchboard.workers.edge_rx import ENOUGH, REGISTERS_INTERVALS, filter_policy
from switchboard.workers.held_calls import find_registrars, find_routers
from switchboard.workers.log_lines import EndedLog
from switchboard.workers.run import run_actor
from switchboard.workers.stream_reports import Reports
from switchboard.workers.stream_sending import StreamSending

try:
    from switchboard._native.wire import StreamPath
except ImportError:
    StreamPath = None  # type: ignore[assignment, misc]

LOOK_AROUND_S = 10.0
"""Between two looks at the machine's addresses, which tell our own REGISTERs."""
CONNECTIONS_SHOWN: Final = 10_000


class EdgeStream(Actor):
    """Reads and writes connections, which its parent keeps.

    Casts: sip.received and sip.mark to routers and registrars, who return the marks by sip.taken; sip.undeliverable
    to a router; connection.closed to registrars, connection.users from them; stream.restarted to all of them;
    connection.closed and stream.restarted to trunks, connection.silent from there.
    sip.send from routers, registrars and translator -> connections, at once and in order. router.beat of the routers ->
    who gets new calls; registrar.beat of several registrars -> who gets REGISTERs.
    Questions: connections.list. Its tap shows what it received and sends.
    """

    name = "edge-stream"

    def __init__(
        self, settings: Settings, context: BusContext, instance: int, link: KeeperLink | None = None
    ) -> None:
        endpoints = endpoints_of(settings)
        inbox = endpoints.inbox
        self._settings = settings
        self._instance = instance
        leaving = leaving_routers(settings)
        known = max([settings.routers, *(number + 1 for number in leaving)])
        self._edge_filter = EdgeFilter(filter_policy(settings))
        overload = self._edge_filter.admission_control.overload
        routers = [
            PackedOutbox(context, inbox("router", each), "sip.received", KEPT) for each in range(known)
        ]
        registrars = [
            PackedOutbox(context, inbox("registrar", each), "sip.received", KEPT)
            for each in range(settings.registrars)
        ]
        self._receivers = [Receiver(each, overload(number), instance) for number, each in enumerate(routers)]
        self._registers = [
            Receiver(each, overload(REGISTRAR - number), instance) for number, each in enumerate(registrars)
        ]
        self._receivers += reversed(self._registers)
        self._dispatcher = Dispatcher(
            range(settings.routers), own_domains(settings).owns, leaving, settings.registrars
        )
        peers = [each.peer for each in routers]
        self._routers = find_routers(
            settings, context, self._dispatcher, peers, self._hand_on_rest, f"routers-stream-{instance}"
        )
        self._reports = Reports(settings, context, known, self._routers.heir)
        self.outboxes: list[Outbox] = [*routers, *registrars, *self._reports.outboxes]
        self._registrars = find_registrars(
            settings, self._dispatcher, [each.peer for each in registrars], self._let_others_register
        )
        self._ingress = Ingress(
            self._dispatcher,
            self._edge_filter,
            [*self._receivers, self],  # type: ignore[list-item]
            answer_on_stream,
        )
        owner = f"{self.name}.{instance}"
        taps = endpoints.listen(owner, SocketKind.PUBLISHER)
        self._tap = Tap(context, taps, owner, (each.peer for each in (*routers, *registrars)))
        most_connections(settings.max_connections)  # the limit of open files may be that of a smaller process
        self._link = link or KeeperLink(settings.run_dir / NAME, instance % settings.edge_streams)
        self._batch_interval = BatchInterval(settings.tick_s, 2 * ENOUGH)  # what comes and what goes
        self._paused_for = self._paused_for_registers = 0  # messages that came before
        self._bad_items = 0
        self._ended_log = EndedLog(time.monotonic())
        self._next_look = time.monotonic() + LOOK_AROUND_S
        self._is_told = False
        self._channels = Channels(settings)
        self._streams = Streams(
            instance,
            self._link,
            self._channels,
            self._hand_on,
            self._reports.failed,
            lambda connection: self._reports.closed(connection.flow),
            self._refuse,
            StreamLimits(known_s=max(settings.max_call_s, float(settings.max_expires))),
            advertised(settings),
        )
        self._sending = StreamSending(self._streams, self._reports, self._edge_filter.sources.phones)
        self.fast_path = self._make_fast_path()
        self._fence = fence_for(settings, context, owner, self._lead)

    def _make_fast_path(self) -> FastPath | None:
        if StreamPath is None:
            return None
        path = StreamPath(
            self._instance,
            self._streams,
            self._link.table,
            self._ingress,
            self._receivers,
            self.outboxes,
            self._tap,
            self._batch_interval,
            self._sending.send,
            self._sending.send_on,
            self._link,
            REGISTERS_INTERVALS * self._settings.tick_s,
            self._is_bypassed,
            self._settings.max_message_bytes,
            self._settings.registrars,
        )
        self._streams.parts.output.begin = path.begin
        return path

    def _is_bypassed(self) -> bool:
        """Whether frames with messages are to come here: somebody wants to see them, or they have to wait."""
        return self._tap.is_open or not self._link.is_complete

    def watch(self) -> dict[int, Callable[[float], None]]:
        """The connections, their keeper, and the tap."""
        return {self._link.fd: self._take_over, self._streams.fd: self._drain} | self._tap.watch()

    def is_ready(self) -> bool:
        """Whether the connections of the predecessor are here."""
        return self._link.is_complete

    def receive_frame(self, frame: bytes) -> int | None:
        """Send what a router has sent that may be declared dead; the rest has to be unpacked."""
        plain = self._fence.pass_on(frame) if self._fence else None
        if plain is None:
            return None
        now = time.monotonic()
        count = self.fast_path.receive(plain, now) if plain and self.fast_path else 0
        if plain and not count:
            subject, body = frames.unpack(plain)
            self.receive(subject, body, now)
        return count or 0

    def receive(self, subject: str, body: Any, now: float) -> None:
        """Send messages; hear how far the receivers are."""
        if self._fence and self._fence.receive(subject, body):
            return
        match subject, body:
            case "sip.send", list(items):
                self._show(items)
                if self._link.is_complete:
                    self._sending.send_all(items, now)
                else:
                    self._sending.keep_early(items)
            case "router.beat", [int(router), bool(is_drained), bool(is_ready)]:
                self._bad_items += not self._routers.hear(router, is_drained, is_ready)
            case "registrar.beat", [int(registrar), bool(can_write)]:
                self._bad_items += not self._registrars.hear(registrar, can_write)
            case "connection.users", list(items):
                for item in items:
                    self._name(item)
            case "connection.silent", list(items):
                for item in items:
                    self._end_silent(item)
            case "sip.taken", [str(name), float(stamp), str(life), float(first)]:
                self._take_mark(name, stamp, life, first, now)
            case _:
                self._bad_items += 1

    def answer(self, question: str, body: Any) -> Any:
        """connections.list: CONNECTIONS_SHOWN maps; with [text, skip, limit] those of `page`, and two counts."""
        match question, body:
            case "connections.list", None:
                return self._describe(islice(self._streams, CONNECTIONS_SHOWN))
            case "connections.list", [str(text), int(skip), int(limit)]:
                shown, found = page(self._streams, text, max(0, skip), max(0, limit))
                return [self._describe(shown), found, self._streams.count]
        raise LookupError(question)

    def _name(self, item: Any) -> None:
        match item:
            case [bytes(connection), str(user)]:
                self._streams.name(connection[1:], user)
            case _:
                self._bad_items += 1

    def _end_silent(self, item: Any) -> None:
        try:
            (packed,) = item
            self._streams.end_made(Flow.unpack(packed))
        except (FlowError, TypeError, ValueError):
            self._bad_items += 1

    def put(self, item: bytes) -> None:
        """Send a packed item of the ingress: an answer of the edge's own."""
        self.put_all((item,))

    def put_all(self, items: Iterable[bytes]) -> None:
        """Send such items."""
        unpacked = [codec.unpack(each) for each in items]
        self._show(unpacked)
        self._sending.send_all(unpacked, time.monotonic())

    def notes(self) -> list[str]:
        """What is to be known of the certificate, of routers and registrars."""
        return [*self._channels.notes(), *self._routers.notes(), *self._registrars.notes()]

    def next_deadline(self) -> float:
        """The next look around, the marks, the limits of time, what the tap has to tell."""
        marks = (each.due_at() for each in self._receivers)
        return min(
            self._next_look,
            self._routers.next_at,
            self._registrars.next_at,
            self._fence.due_at if self._fence else math.inf,
            self._tap.due_at,
            self._streams.next_deadline(),
            self._link.due_at,
            *(due_at for due_at in marks if due_at is not None),
        )

    def handle_timer(self, now: float) -> None:
        """Keep up with the machine's addresses; end connections whose time is over; let the tap tell."""
        self._tap.handle_timer(now)
        self._streams.handle_timer(now)
        self._routers.handle_timer(now)
        self._registrars.handle_timer(now)
        if self._fence:
            self._fence.handle_timer()
        if now >= self._next_look:
            self._next_look = now + LOOK_AROUND_S
            self._dispatcher.own(own_domains(self._settings).owns)

    def flush(self) -> None:
        """Cast what a drain has yielded, with the marks."""
        now = time.monotonic()
        if now >= self._link.due_at:
            self._link.flush()  # before others hear of a connection
        for receiver in self._receivers:
            receiver.ask(now)
        super().flush()
        now = time.monotonic()
        for receiver in self._receivers:
            receiver.mark(now)
        if self._edge_filter.has_news:
            self._edge_filter.tell(now)
            for event, details in self._edge_filter.notices.take():
                structlog.get_logger().warning(event, **details)

    def peers(self) -> Iterable[Peer]:
        """Those that are to be there: routers that were leaving may have left."""
        routers = self._receivers[: -len(self._registers)]
        staying = routers if self._routers.is_changing else routers[: self._settings.routers]
        return (each.outbox.peer for each in (*staying, *self._registers))

    def stats(self) -> dict[str, float]:
        """Those of the connections, of the ingress and its filter, and how late the receivers are."""
        return {
            **self._ingress.stats(),
            **self._edge_filter.stats(),
            **self._streams.stats(),
            **{f"{each.name}.lag_ms": round(each.lag_s * 1e3, 1) for each in self._receivers},
            "handed_on_again": sum(each.resent for each in self._receivers),
            "forgotten": sum(each.forgotten for each in self._receivers),
            "bad_items": self._bad_items + self._sending.bad_items,
            "early_dropped": self._sending.early_dropped,
            "unlogged": self._ended_log.unlogged,
            **self._routers.stats(),
            **self._registrars.stats(),
            **(self._fence.stats() if self._fence else {}),
        }

    def close(self) -> None:
        """Let go of the connections, which the successor gets."""
        self._routers.close()
        if self._fence:
            self._fence.close()
        self._link.flush()
        self._streams.close()
        self._link.close()

    def _take_over(self, now: float) -> None:
        for given, fd in self._link.hear():
            self._streams.adopt(given, fd)
        if self._link.is_complete and not self._is_told:
            self._is_told = True
            self._streams.forget_rest()
            self._reports.begun(self._instance, bool(self._streams.generation))
            self._sending.send_early(now)
        self._drain(now)

    def _drain(self, now: float) -> None:
        for receiver in self._receivers:
            receiver.look(now)
        self._streams.serve(now)

    def pause_s(self) -> float:
        """A batch interval, under load; a longer one where REGISTERs come and nothing else."""
        passed, registers = self._streams.passed, sum(each.put_count for each in self._registers)
        taken, self._paused_for = passed - self._paused_for, passed
        taken_registers, self._paused_for_registers = registers - self._paused_for_registers, registers
        if not taken:
            return 0.0
        pause_s = self._batch_interval.pause_s(time.monotonic(), taken, backlog=False)
        return (
            REGISTERS_INTERVALS * self._settings.tick_s if pause_s and taken_registers == taken else pause_s
        )

    def _hand_on(self, connection: Connection, messages: list[bytes], now: float) -> Sequence[Due]:
        before = [each.put_count for each in self._receivers]
        for raw in messages:
            self._ingress.take(raw, connection.flow, now)
        return [
            (each.reached, each.put_count)
            for each, count in zip(self._receivers, before, strict=True)
            if each.put_count > count
        ]

    def _lead(self, led: Mapping[int, int]) -> None:
        """The calls of these routers are at other ones now."""
        self._routers.lead_to_heirs(led, time.monotonic())

    def _hand_on_rest(self, router: int) -> None:
        """What a router that is away has not taken goes to others: a phone does not repeat it over a connection."""
        self._let_others_take(self._receivers[router], self._routers.heir(router))

    def _let_others_register(self, registrar: int) -> None:
        self._let_others_take(self._registers[registrar], None)

    def _let_others_take(self, receiver: Receiver, heir: int | None) -> None:
        for packed in receiver.give_up():
            _, index, raw = codec.unpack(packed)
            if heir is not None:
                self._receivers[heir].put(packed)
            elif index:
                self._receivers[self._dispatcher.target(raw, index)].put(packed)

    def _take_mark(self, name: str, stamp: float, life: str, first: float, now: float) -> None:
        for receiver in self._receivers:
            if receiver.name == name:
                receiver.take(stamp, life, first, now)
                self._streams.acknowledge(now)
                return
        self._bad_items += 1

    def _refuse(self, connection: Connection, error: ChannelError) -> None:
        """Answer a request that broke the rules of its channel, if it can be answered."""
        host, transport = connection.flow.host, NAMES[connection.transport]
        self._ended_log.tell(host, transport, error.reason, time.monotonic())
        if not error.refused:
            return
        try:
            request = Message(error.refused, scan(error.refused))
            if not request.status and request.method != "ACK":
                warning = [("Warning", warning_of(ParseError(error.reason)))]
                answer, _ = answer_on_stream(request, error.status, connection.flow.hop, warning)
                self.put(pack_sent(connection.flow.pack(), answer))
        except ParseError:
            return

    def _describe(self, connections: Iterable[Connection]) -> list[Description]:
        now, now_at, worker = time.monotonic(), time.time(), f"{self.name}.{self._instance}"
        return [describe(each, worker, now, now_at) for each in connections]

    def _show(self, items: list[Any]) -> None:
        if self._tap.is_open:
            self._tap.publish(frames.pack("sip.send", items), "", time.time_ns())


run = partial(run_actor, EdgeStream)

if __name__ == "__main__":
    run()
