"""The edge's read side (ingress): hands each datagram to the worker that handles it."""

import math
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog

from switchboard import codec
from switchboard.bus.actor import Actor, FastPath
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import SocketKind
from switchboard.bus.frames import REGISTERED, flow_of
from switchboard.bus.outbox import PackedOutbox
from switchboard.bus.peer import Peer
from switchboard.bus.rounds import BatchInterval
from switchboard.bus.tap import Tap
from switchboard.core.domains import parse_networks
from switchboard.edge.admission import KEPT, Loads
from switchboard.edge.filter import EdgeFilter
from switchboard.edge.ingress import DATAGRAMS_A_ROUND, Ingress
from switchboard.edge.rate_limit import FilterPolicy
from switchboard.edge.undeliverable import Undeliverable
from switchboard.settings.local import own_domains
from switchboard.settings.model import Settings
from switchboard.settings.site import advertised, endpoints_of, leaving_routers
from switchboard.sip.dispatch import Dispatcher
from switchboard.transports.udp import UDP
from switchboard.workers.arbiter import desk_for
from switchboard.workers.held_calls import find_registrars, find_routers
from switchboard.workers.run import run_actor

try:
    from switchboard._native.wire import EdgePath
except ImportError:
    EdgePath = None  # type: ignore[assignment, misc]

ENOUGH = 6.0  # datagrams of a batch interval: with more a frame costs little less, and each waits longer
REGISTERS_EVERY_S = 0.006
"""Between two frames to the registrar, which gathers for longer before it commits."""
REGISTERS_INTERVALS = 4
"""After a drain with REGISTERs only the batch interval is longer by this factor."""
LOOK_AROUND_S = 10.0  # between two looks at the machine's addresses, which tell our own REGISTERs


class EdgeRx(Actor):
    """Owns nothing: reads the UDP sockets that its parent holds, and the errors that wait at them.

    Casts: sip.received to a router or a registrar, who tell by sip.taken how far they are;
    sip.undeliverable to a router;
    sip.send (the pongs of RFC 5626, refusals) to edge-tx. source.registered of a registrar -> its filter.
    router.beat of the routers -> who gets new calls; registrar.beat of several registrars -> who gets REGISTERs.
    Its tap shows what it received.
    """

    name = "edge-rx"

    def __init__(
        self,
        settings: Settings,
        context: BusContext,
        instance: int,
        sockets: Sequence[socket.socket] | None = None,
    ) -> None:
        endpoints = endpoints_of(settings)
        inbox = endpoints.inbox
        self._settings = settings
        self._sockets = UDP.inherited_sockets() if sockets is None else sockets
        leaving = leaving_routers(settings)
        self._leaving = frozenset(leaving)
        known = max([settings.routers, *(number + 1 for number in leaving)])
        self._registers = [
            PackedOutbox(context, inbox("registrar", number), "sip.received", KEPT, REGISTERS_EVERY_S)
            for number in range(settings.registrars)
        ]
        receivers = [
            *(
                PackedOutbox(context, inbox("router", number), "sip.received", KEPT)
                for number in range(known)
            ),
            *reversed(self._registers),
        ]
        self.outboxes: list[PackedOutbox] = [
            *receivers,
            PackedOutbox(context, inbox("edge-tx", instance), "sip.send"),
        ]
        self._dispatcher = Dispatcher(
            range(settings.routers), own_domains(settings).owns, leaving, settings.registrars
        )
        self._batch_interval = BatchInterval(settings.tick_s, ENOUGH)
        self._taken = self._taken_registers = 0  # in this round
        self._next_look = time.monotonic() + LOOK_AROUND_S
        self._edge_filter = EdgeFilter(filter_policy(settings))
        self._loads = Loads(receivers, self._edge_filter.admission_control, instance, settings.registrars)
        self._bad_items = 0
        self._ingress = Ingress(self._dispatcher, self._edge_filter, self.outboxes)
        routers = receivers[: -settings.registrars]
        self._undeliverable = Undeliverable(UDP, self._sockets, routers)
        owner = f"{self.name}.{instance}"
        taps = endpoints.listen(owner, SocketKind.PUBLISHER)
        self._tap = Tap(context, taps, owner, (each.peer for each in receivers))
        self.fast_path = self._make_fast_path()
        peers = [each.peer for each in routers]
        self._routers = find_routers(settings, context, self._dispatcher, peers, self._hand_on_rest)
        self._undeliverable.heir = self._routers.heir
        self._registrars = find_registrars(
            settings, self._dispatcher, [each.peer for each in self._registers], self._let_others_register
        )
        self._arbiter = desk_for(settings, context, instance, peers)
        if self._arbiter:
            self._lead(self._arbiter.led)

    def _lead(self, led: Mapping[int, int]) -> None:
        """The calls of these routers are at other ones now."""
        self._routers.lead_to_heirs(led, time.monotonic())

    def _look_for_leaving(self, now: float) -> None:
        """One may be there that had nothing left, and waits to be told that it gets nothing more."""
        leaving = self._leaving.intersection(leaving_routers(self._settings))
        if leaving and not self._routers.is_changing:
            self._routers.lead(leaving, now)

    def _hand_on_rest(self, router: int) -> None:
        """What a router that is away has not got goes to others."""
        self._hand_on(self.outboxes[router], self._routers.heir(router))

    def _let_others_register(self, registrar: int) -> None:
        self._hand_on(self._registers[registrar], None)

    def _hand_on(self, outbox: PackedOutbox, heir: int | None) -> None:
        *receivers, _ = self.outboxes
        for packed in outbox.take_back():
            item = codec.unpack(packed)
            if isinstance(item, list) and item[1]:  # no stamp, and scanned
                number = self._dispatcher.target(item[2], item[1]) if heir is None else heir
                receivers[number].put(packed)

    def _make_fast_path(self) -> FastPath | None:
        if EdgePath is None:
            return None
        fds = [sock.fileno() for sock in self._sockets]
        registers_s = REGISTERS_INTERVALS * self._settings.tick_s
        return EdgePath(
            fds,
            self._ingress,
            self.outboxes,
            self._registers,
            self._loads,
            self._tap,
            self._batch_interval,
            registers_s,
        )

    def watch(self) -> dict[int, Callable[[float], None]]:
        """The UDP sockets, and the tap."""
        return {sock.fileno(): partial(self._drain, sock) for sock in self._sockets} | self._tap.watch()

    def watch_errors(self) -> dict[int, Callable[[float], None]]:
        """The UDP sockets."""
        return self._undeliverable.watch()

    def receive(self, subject: str, body: Any, now: float) -> None:
        """Take how far a peer is, and from where phones have registered."""
        if self._arbiter and self._arbiter.receive(subject, body):
            return
        match subject, body:
            case "sip.taken", [str(name), float(stamp)]:
                self._bad_items += not self._loads.take(name, stamp)
            case "router.beat", [int(router), bool(is_drained), bool(is_ready)]:
                self._bad_items += not self._routers.hear(router, is_drained, is_ready)
            case "registrar.beat", [int(registrar), bool(can_write)]:
                self._bad_items += not self._registrars.hear(registrar, can_write)
            case "source.registered", list(sources):
                for source in sources:
                    self._note_phone(source, now)
            case _:
                self._bad_items += 1

    def _note_phone(self, source: Any, now: float) -> None:
        flow = flow_of(source, REGISTERED)
        if flow is None:
            self._bad_items += 1
        else:
            self._edge_filter.sources.phones.add(*flow.hop, now)

    def next_deadline(self) -> float:
        """The next look at the machine's addresses, what the tap has to tell, or the end of a flood."""
        due_at = self._arbiter.due_at if self._arbiter else math.inf
        return min(
            self._next_look,
            self._tap.due_at,
            self._undeliverable.due_at,
            self._routers.next_at,
            self._registrars.next_at,
            due_at,
        )

    def handle_timer(self, now: float) -> None:
        """Keep up with the machine's addresses; let the tap tell."""
        self._tap.handle_timer(now)
        self._undeliverable.handle_timer(now)
        self._routers.handle_timer(now)
        self._registrars.handle_timer(now)
        if self._arbiter:
            self._arbiter.handle_timer(now, self._lead)
        if now < self._next_look:
            return
        self._next_look = now + LOOK_AROUND_S
        self._dispatcher.own(own_domains(self._settings).owns)
        self._look_for_leaving(now)

    def peers(self) -> Iterable[Peer]:
        """Those that are to be there: routers that were leaving may have left."""
        rest = len(self._registers) + 1
        routers, others = self.outboxes[:-rest], self.outboxes[-rest:]
        staying = routers if self._routers.is_changing else routers[: self._settings.routers]
        return (each.peer for each in (*staying, *others))

    def notes(self) -> list[str]:
        """Who gets no new calls, and whether calls are led to routers that hold them."""
        arbiter = self._arbiter.notes() if self._arbiter else ()
        return [*self._routers.notes(), *self._registrars.notes(), *arbiter]

    def stats(self) -> dict[str, float]:
        """Those of the ingress, what its filter did not let pass, errors, and how late its peers are."""
        return {
            **self._ingress.stats(),
            **self._undeliverable.stats(),
            **self._edge_filter.stats(),
            **self._loads.stats(),
            "bad_items": self._bad_items,
            **self._routers.stats(),
            **self._registrars.stats(),
            **(self._arbiter.stats() if self._arbiter else {}),
        }

    def flush(self) -> None:
        """Send what a drain has yielded; tell operators of attackers."""
        now = time.monotonic()
        for outbox in self.outboxes:
            if outbox.waiting:
                outbox.flush_due(now)
        self._undeliverable.flush()
        if self._edge_filter.has_news:
            self._tell()

    def _tell(self) -> None:
        self._edge_filter.tell(time.monotonic())
        for event, details in self._edge_filter.notices.take():
            structlog.get_logger().warning(event, **details)

    def pause_s(self) -> float:
        """A batch interval, under load; a longer one where REGISTERs come and nothing else."""
        taken, self._taken = self._taken, 0
        registers, self._taken_registers = self._taken_registers, 0
        if not taken:
            return 0.0
        pause_s = self._batch_interval.pause_s(time.monotonic(), taken, backlog=taken >= DATAGRAMS_A_ROUND)
        return REGISTERS_INTERVALS * self._settings.tick_s if pause_s and registers == taken else pause_s

    def close(self) -> None:
        """Have errors wait at the sockets no more."""
        self._undeliverable.close()
        self._routers.close()
        if self._arbiter:
            self._arbiter.close()

    def _drain(self, sock: socket.socket, now: float) -> None:
        self._loads.look(now)
        held = self._waiting_registers()
        taken = self._ingress.drain(sock, now)
        self._taken_registers += self._waiting_registers() - held
        self._taken += taken
        if taken:
            self._loads.stamp(taken)

    def _waiting_registers(self) -> int:
        return sum(each.waiting for each in self._registers)


def filter_policy(settings: Settings) -> FilterPolicy:
    """What the filter is told."""
    access = settings.access
    return FilterPolicy(
        rate=settings.rate_limit,
        burst=max(settings.rate_limit, settings.rate_burst),
        ignored_s=settings.rate_ignored_s,
        exempt=parse_networks(settings.rate_exempt),
        access=access.to_list(),
        methods={method: each.to_list() for method, each in access.methods.items()},
        silent=access.answer == "silence",
        scanners=settings.scanners,
        largest=settings.max_message_bytes,
        most_fields=settings.max_header_fields,
        transaction_s=64 * settings.t1_s,
        advertised=advertised(settings),
    )


run = partial(run_actor, EdgeRx)

if __name__ == "__main__":
    run()
