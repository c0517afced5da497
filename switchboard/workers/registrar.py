"""The registrar: binds the contacts of the users (RFC 3261 §10) and tells the routers of every change."""

import math
import os
import select
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NoReturn

import structlog
import zmq

from switchboard.auth.failures import Failures
from switchboard.auth.keys import load_or_make_key
from switchboard.bus import frames
from switchboard.bus.actor import Actor
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints, SocketKind
from switchboard.bus.marks import Marks
from switchboard.bus.outbox import Outbox
from switchboard.bus.peer import Peer, Publisher
from switchboard.clock import SteadyClock
from switchboard.core.gruu import Gruus
from switchboard.core.overload import read_stamp
from switchboard.edge.in_service import BEAT_EVERY_S
from switchboard.registrar.connections import Connections
from switchboard.registrar.listing import USERS_A_PAGE, Wanted
from switchboard.registrar.rebind import RegistrarPolicy
from switchboard.registrar.rules import Registrar
from switchboard.registrar.shared import SharedStore
from switchboard.registrar.sqlite import SqliteStore
from switchboard.registrar.store import NUMBERS, Change, Conflict, Late
from switchboard.registrar.user_table import pack_records, users_in
from switchboard.settings.local import own_domains
from switchboard.settings.location import load_location, location_of
from switchboard.settings.model import Settings, SettingsError, load_settings
from switchboard.settings.site import (
    clock_of,
    edge_streams,
    edges,
    endpoints_of,
    is_here,
    router_numbers,
    store_of,
)
from switchboard.storage.mending import reports
from switchboard.storage.unusable import NotWritten
from switchboard.storage.writing import RETRY_S
from switchboard.transports.edge_outboxes import edges_of
from switchboard.transports.sender import TABLES, Sender
from switchboard.workers.lifetimes import Lifetimes
from switchboard.workers.log_lines import BindingLog, FailureLog
from switchboard.workers.reception import make_reception
from switchboard.workers.record_register import PAGES_KEPT
from switchboard.workers.register_batches import RegisterBatches
from switchboard.workers.registrar_books import Books
from switchboard.workers.run import run_actor
from switchboard.workers.user_register import make_authenticator

PATIENCE_S = 0.05
"""A batch, and all else, waits this long for a shared location. A server that is well takes 1 to 5 ms."""
_CHANGED, _LEARNED = frames.head("location.changed"), frames.head("location.learned")
TELL_EVERY_S = 1.0
"""Between two announcements of the last change's number; expired bindings are looked for as often."""
UNBIND_PAUSE_S = 0.01
"""Between two commits of bindings whose connection has been closed; what waits meanwhile is answered."""


class RegistrarService(Actor):
    """Owns the bindings; they are on disk before routers hear of them and before a response leaves.

    Casts: sip.received from edge-rx -> sip.send to edge-tx, or sip.translate to the translator without its tables;
    sip.taken and source.registered to edge-rx; registrar.beat to the edge, if there are several registrars.
    connection.closed from edge-stream; stream.restarted from it -> connection.users.
    location.wanted from a router of another host -> location.page.
    users.wanted -> users.page, rules.wanted -> rules.page.
    rules.dialled from routers -> sip.send to edge-tx. turns.told from routers -> turns.now.
    Events: location.changed; of several registrars: location.learned; location.number, location.clock for routers of
    other hosts, users.number, rules.number.
    Questions: location.list, location.remove, auth.failing, user.*, rules.*. The first registrar has users and rules.
    """

    name = "registrar"

    def __init__(self, settings: Settings, context: BusContext, instance: int) -> None:
        endpoints = endpoints_of(settings)
        self._instance = instance
        self._clock = clock_of(settings)
        self._store = open_store(settings, self._clock, instance)
        self._failures, self._failure_log = Failures(), FailureLog()
        self._binding_log = BindingLog(time.monotonic())
        key = load_or_make_key(settings.auth_key_path)
        self._authenticator = make_authenticator(
            settings, key, f"{self.name} {self._store.series}", self._store.nonces(), self._failures
        )
        self._connections = Connections(self._store)
        self._registrar = Registrar(
            self._store,
            own_domains(settings).owns,
            _policy(settings),
            os.urandom(16),
            self._authenticator,
            self._failures,
            Gruus(key),
            self._connections.bound,
        )
        self._reception = make_reception(self._registrar, 64 * settings.t1_s)
        self._publisher = Publisher(
            context, endpoints.listen(f"{self.name}.{instance}", SocketKind.PUBLISHER)
        )
        # not on the edge's sockets: who hears that he is registered may be called, so the routers know it before
        self._sender = Sender(context, endpoints, None, edge_streams(settings), edges=edges_of(settings))
        self._naming: dict[int, tuple[list[tuple[bytes, str]], Iterator[list[tuple[bytes, str]]]]] = {}
        self._marks = Marks(f"{self.name}.{instance}", self._sender.stream_outboxes)
        readers = [endpoints.inbox("edge-rx", number) for number in range(len(edges(settings)))]
        self._edge_rx = [Peer(context, each) for each in readers]
        self._sources = [Outbox(context, each, "source.registered") for each in readers]
        self._pages = {
            number: Outbox(context, endpoints.inbox("router", number), "location.page", PAGES_KEPT)
            for number in router_numbers(settings)
            if not is_here(f"router.{number}", settings)
        }
        self._learned = _CHANGED if settings.registrars == 1 else _LEARNED
        self._batches = RegisterBatches(
            self._store,
            self._registrar,
            self._reception,
            self._authenticator,
            self._clock.at,
            self._hand_out,
            self._note_source,
        )
        self._lifetimes = Lifetimes(
            self._store, self._registrar, self._clock, self._publish, self._publish_expired
        )
        self._books = Books(settings, context, instance, self._publisher, self._authenticator, self._is_bound)
        self._page_boxes = [*self._sources, *self._pages.values(), *self._books.outboxes]
        self.writings = [self._store.writing, *self._books.writings]
        self.outboxes = [*self._sender.outboxes, *self._page_boxes]
        self._life = os.urandom(4).hex()
        self._next_telling = self._next_try = self._next_unbinding = 0.0
        self._next_naming = 0.0
        self._next_beat = math.inf if settings.registrars == 1 else 0.0
        self._bad_items = 0
        self._files = store_of(instance, settings), *self._books.files
        for report in reports(*self._files):
            structlog.get_logger().warning(str(report))

    def subscriptions(self, endpoints: Endpoints) -> list[str]:
        """The translator's tables; the first registrar's users, for another one."""
        first = [endpoints.publisher("registrar")] if self._instance else []
        return [endpoints.publisher("translator"), *first]

    def subscribed(self, sockets: Sequence[zmq.Socket[bytes]]) -> None:
        """The tap is another's business."""
        for each, subject in zip(sockets, (TABLES, "users.number"), strict=False):
            each.subscribe(frames.head(subject))

    def receive_frame(self, frame: bytes) -> int | None:
        """Gather a round's sip.received."""
        return self._batches.take_frame(frame)

    def receive(self, subject: str, body: Any, now: float) -> None:
        """Send a router's page."""
        match subject, body:
            case "location.wanted", list(items):
                for item in items:
                    self._send_page(item)
            case "connection.closed", list(items):
                for item in items:
                    self._bad_items += not self._close(item)
            case "stream.restarted", [int(stream)] if 0 <= stream < len(self._sender.stream_peers):
                self._naming[stream] = [], self._connections.users_of(stream)
            case "rules.dialled", list(items):
                answers = self._books.answer_dialled(items)
                self._sender.put_packed(len(answers), b"".join(answers))
            case "sip.mark", [int(stream), float(stamp)]:
                self._bad_items += not self._marks.take(stream, stamp)
            case "phrases.tables", tables:
                self._bad_items += not self._sender.take_tables(tables, now)
            case _:
                self._books.receive(subject, body, self._clock.at())

    def _send_page(self, item: Any) -> None:
        match item:
            case [int(router), str(after)] if router in self._pages:
                self._pages[router].put(self._store.page(after, USERS_A_PAGE).to_wire())
            case _:
                self._bad_items += 1

    def _close(self, item: Any) -> bool:
        match item:
            case [bytes(flow)]:
                return self._connections.close(flow)
        return False

    def _hand_out(self, change: Change, items: list[bytes], now: float) -> None:
        if failures := self._failures.take():
            self._failure_log.tell(failures, now)
        self._binding_log.tell(self._registrar.take_displaced(), now)
        self._publish(change)
        self._sender.put_packed(len(items), b"".join(items))
        self._tell_edge()

    def _tell_edge(self) -> None:
        """How far we are, and from where phones have registered."""
        for source in self._reception.take_sources():
            self._note_source(source)
        for outbox in self._sources:
            outbox.flush()
        while (stamp := self._reception.take_stamp()) is not None:
            edge = read_stamp(stamp)[0] % len(self._edge_rx)
            self._edge_rx[edge].send("sip.taken", [f"{self.name}.{self._instance}", stamp])

    def _note_source(self, source: bytes) -> None:
        """Every edge is to know the phone: it may go to another one."""
        for outbox in self._sources:
            outbox.put([source])

    def _publish(self, change: Change | None = None, head: bytes = _CHANGED) -> None:
        """Tell the routers, also of what others have changed before."""
        for each in self._store.take_changes():
            self._learn(each)
        if change and change.records:
            self._publisher.send_frame(head + change.pack())

    def _publish_expired(self, change: Change) -> None:
        """Of several registrars each sees for itself what has expired."""
        self._publish(change, self._learned)

    def _learn(self, change: Change) -> None:
        """Others have bound these users. Of several registrars each has to unbind them if the connection ends."""
        self._publisher.send_frame(self._learned + change.pack())
        if self._learned is _CHANGED:
            return
        for user, bindings in users_in(pack_records(change.records)).items():
            for each in bindings:
                if each.flow:
                    self._connections.bound(user, each.flow)

    def next_deadline(self) -> float:
        """The next announcement, of which the first is at once, or what the sender has to do, or the next try."""
        deadline = min(self._next_telling, self._lifetimes.due_at, self._sender.due_at, self._next_beat)
        if self._connections.is_waiting:
            deadline = min(deadline, self._next_unbinding)
        if (due_at := self._batches.due_at) is not None:
            deadline = min(deadline, due_at)
        if self._naming:
            deadline = min(deadline, self._next_naming)
        if self._cannot_write():
            deadline = min(deadline, self._next_try)
        return 0.0 if self._store.is_waiting else deadline

    def handle_timer(self, now: float) -> None:
        """Remove some of what has expired; tell the routers the number of the last change, once in TELL_EVERY_S."""
        self._sender.handle_timer(now)
        if now >= self._next_try and self._cannot_write():
            self._next_try = now + RETRY_S
            self._try_again()
        self._lifetimes.handle_timer(now)
        if now >= self._next_beat:
            self._beat(now)
        if now < self._next_telling:
            return
        self._next_telling = now + TELL_EVERY_S
        self._reception.purge(now)
        self._tell_numbers()
        self._books.keep()

    def _beat(self, now: float) -> None:
        """Tell the edge that this one of several registrars is there, and whether it can write."""
        self._next_beat = now + BEAT_EVERY_S
        for peer in (*self._edge_rx, *self._sender.stream_peers):
            peer.send("registrar.beat", [self._instance, not self._store.writing.error])

    def _unbind(self, now: float) -> None:
        """Unbind some of those whose connection has been closed; REGISTERs that came before are answered."""
        self._next_unbinding = now + UNBIND_PAUSE_S
        with suppress(NotWritten):
            self._publish(self._connections.go_on(self._clock.at()))

    def _name_connections(self, now: float) -> None:
        """Tell an edge-stream that has been started again whose its connections are, some at a time."""
        self._next_naming = now + UNBIND_PAUSE_S
        for stream, (users, more) in list(self._naming.items()):
            if users and not self._sender.stream_peers[stream].send("connection.users", users):
                continue
            if (following := next(more, None)) is None:
                del self._naming[stream]
            else:
                self._naming[stream] = following, more

    def _cannot_write(self) -> bool:
        return any(each.error for each in self.writings)

    def _try_again(self) -> None:
        if self._store.writing.error:
            self._store.try_again()
        self._books.try_again()

    def watch(self) -> dict[int, Callable[[float], None]]:
        """Routers that begin to listen, and what others have changed in the store."""
        watched: dict[int, Callable[[float], None]] = dict.fromkeys(self._publisher.fds, self._greet)
        if self._store.fd is not None:
            watched[self._store.fd] = self._hear_store
        return watched | self._books.watch()

    def _hear_store(self, now: float) -> None:
        if self._store.writing.error:
            self._next_try = now + RETRY_S
            self._store.try_again()
        self._store.go_on()
        self._publish()

    def _greet(self, _now: float) -> None:
        """A router that has just come may have missed a change; it hears at once which is the last."""
        if self._publisher.has_newcomers():
            self._tell_numbers()

    def _tell_numbers(self) -> None:
        if self._pages:
            self._publisher.send("location.clock", [self._clock.at()])
        self._publisher.send("location.number", [self._store.number])
        self._books.tell()

    def pause_s(self) -> float:
        """What is left of GATHER_S while REGISTERs come so fast that a commit is worth the wait."""
        return self._batches.pause_s(is_busy=self._lifetimes.is_purging)

    def flush(self) -> None:
        """Answer what was gathered, after one commit for all."""
        if self._store.is_waiting:
            self._store.go_on()
            self._publish()
        self._batches.go_on()
        if self._connections.is_waiting and (now := time.monotonic()) >= self._next_unbinding:
            self._unbind(now)
        if self._naming and (now := time.monotonic()) >= self._next_naming:
            self._name_connections(now)
        self._sender.flush()
        if self._batches.is_done:
            self._marks.give_back()  # behind the answers, on their way: with the mark they have arrived
        for pages in self._page_boxes:
            pages.flush()
        self._greet(0.0)

    def answer(self, question: str, body: Any) -> Any:
        """location.list: some users with their valid bindings; location.remove: how many went. NotWritten.

        location.known: which of these users are registered, or were so lately.

        auth.failing; for others see `Books`.
        """
        if question == "auth.failing":
            return self._authenticator.failing.often() if self._authenticator else []
        match question, body:
            case "location.list", [str(life), int(at), dict(patterns)]:
                return self._list(at if life == self._life else 0, _wanted(patterns))
            case "location.known", list(users):
                table = self._store.table
                return [user for user in users if user in table or table.was_bound(user)]
            case "location.remove", [str(user), str(contact)]:
                return self._remove(user, contact)
        return self._books.answer(question, body)

    def _is_bound(self, user: str) -> bool:
        return bool(self._registrar.bindings(user, self._clock.at()))

    def _list(self, at: int, wanted: Wanted) -> list[Any]:
        """A page: what these positions are good for, users with their bindings, and the next position."""
        names, following = ([wanted.name], 0) if wanted.name else self._store.table.some(at, USERS_A_PAGE)
        now_at, correction_s = self._clock.at(), self._clock.correction_s
        users = []
        for user in filter(wanted.takes, names):
            bindings = self._registrar.bindings(user, now_at)
            if found := [
                {**each.moved(correction_s).to_map(), "left_s": round(each.expires_at - now_at, 3)}
                for each in bindings
                if wanted.matches(each)
            ]:
                users.append([user, found])
        return [self._life, users, following]

    def _remove(self, user: str, contact: str) -> int:
        """Durable, and told to the routers, when this returns."""
        while True:
            try:
                with self._store.batch() as change:
                    removed = self._registrar.remove(user, contact, self._clock.at())
            except Conflict:
                continue
            except Late as late:
                self._await(late)
                if late.users == set():
                    return removed
                continue
            self._publish(change)
            return removed

    def _await(self, late: Late) -> None:
        """For an operator, who is told what became of it. NotWritten."""
        fd = self._store.fd
        while fd is not None and not late.is_known:
            select.select([fd], [], [], RETRY_S)
            self._store.go_on()
        self._publish()

    def notes(self) -> list[str]:
        """What was lost of its files, whether anybody can register, and what is wrong with the clock."""
        return [*map(str, reports(*self._files)), *self._books.notes(), *self._lifetimes.notes()]

    def stats(self) -> dict[str, float]:
        """Those of the reception; bindings displaced; who is bound."""
        users, bindings = self._store.count()
        counters = self._reception.stats()
        return {
            **counters,
            **self._store.stats(),
            "users": users,
            "bindings": bindings,
            **self._books.stats(),
            "displaced": self._registrar.displaced,
            "displaced_unlogged": self._binding_log.unlogged,
            "connections.dropped": self._connections.dropped,
            "connections.unconnected": self._connections.unconnected,
            "connections.forgotten": self._connections.forgotten,
            **self._sender.stats(),
            "bad_items": counters["bad_items"]
            + self._bad_items
            + self._batches.bad_items
            + self._books.bad_items,
            "auth_failed": self._failures.count,
            "auth_challenged": self._authenticator.challenged if self._authenticator else 0,
            "auth_repeated": self._authenticator.repeated if self._authenticator else 0,
            "answers_withheld": self._registrar.answers.withheld,
            "auth_unlogged": self._failure_log.unlogged,
        }

    def close(self) -> None:
        """Let go of the store and the peers."""
        self._store.close()
        self._books.close()
        self._publisher.close()
        self._sender.close()
        for each in self._edge_rx:
            each.close()
        for outbox in self.outboxes:
            outbox.close()


def open_store(settings: Settings, clock: SteadyClock, instance: int = 0) -> SqliteStore:
    """The store that the settings name, of this registrar. StoreError; SettingsError without what it needs."""
    location = location_of(settings, clock.at)
    if location is None:
        return SqliteStore(settings.store_path)
    path, first = store_of(instance, settings), NUMBERS * instance
    return SharedStore(path, location, clock.at, patience_s=PATIENCE_S, first=first)


def _wanted(patterns: dict[str, Any]) -> Wanted:
    try:
        return Wanted.from_wire(patterns)
    except ValueError as error:
        raise LookupError("location.list") from error


def _policy(settings: Settings) -> RegistrarPolicy:
    return RegistrarPolicy(
        settings.min_expires,
        settings.max_expires,
        settings.default_expires,
        settings.max_contacts,
        keeps_local=len(edges(settings)) > 1,
    )


def run(argv: Sequence[str] | None = None, is_fork: bool = False) -> NoReturn:
    """As `run_actor`. What a shared location needs is loaded before a standby process is told to go."""
    with suppress(SettingsError):
        load_location(load_settings())
    run_actor(RegistrarService, argv, is_fork)


if __name__ == "__main__":
    run()
