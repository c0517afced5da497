"""A router's core as a step machine: packed batches, answers and instants go in, effects come out.

Theory. Two implementations share the work. The engine (`_native/engine.pyx`), where it was compiled, handles plain
messages. The reference (`Proxy` with its transactions) handles odd ones, and everything where there is no engine. At
any time exactly one of them owns a transaction. A transaction goes from the engine to the reference in the same way
as from a process to its successor: by its record in the store. It never goes back. So if a message for a transaction
of the engine is odd, that transaction is handed over first.

A step ends with `take`, which returns what is to be sent, reported and resolved. By then the store has the state
that a successor needs. The caller commits the store before it sends anything.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from switchboard.codec import pack, unpack
from switchboard.core.client_transaction import ClientState
from switchboard.core.commands import (
    CallEvent,
    Delegated,
    Dialled,
    Led,
    Lookup,
    NextHop,
    ProxyEffects,
    Question,
)
from switchboard.core.domains import DEFAULT_PORT, OwnDomains
from switchboard.core.environment import Environment
from switchboard.core.facts import Facts
from switchboard.core.native import make_engine
from switchboard.core.overload import read_stamp
from switchboard.core.own_requests import Answer, Wanted
from switchboard.core.proxy import Proxy
from switchboard.core.relays import RELAYED_COUNTERS, Relays
from switchboard.core.request import IncomingRequest
from switchboard.core.response_context import ResponseContext
from switchboard.core.saved_transaction import SavedTransaction, ask_again, expect_ack
from switchboard.core.server_transaction import ServerTransaction
from switchboard.core.transaction_log import Store, TransactionLog
from switchboard.media.commands import Ask, Told, command_in
from switchboard.sip.dispatch import BRANCH_PREFIX, parse_quoted
from switchboard.sip.errors import ParseError
from switchboard.sip.fields import text_of
from switchboard.sip.flow import Flow, FlowError
from switchboard.sip.message import Message, parse_message

_MOST_DIGITS = 3  # of a router's number in a branch
Run = tuple[int, bytes]
"""Items, packed one behind the other, and how many they are."""


class Effects(NamedTuple):
    """What a step has to have done: `sip.send` and `sip.translate` items, packed call events, names to resolve.

    `delegated`: requests for the presence worker. `asks`: questions to media engines. `dialled`: star codes, for the
    registrar. `led`: for lamps.
    """

    requests: Run
    responses: Run
    events: Sequence[bytes]
    lookups: Sequence[Question]
    delegated: Sequence[Delegated] = ()
    asks: Sequence[Ask] = ()
    dialled: Sequence[Dialled] = ()
    led: Sequence[Led] = ()


class RouterCore:
    """The core of one router. `store` keeps its saved transactions; `native`: whether an engine serves what is plain.

    `now` is monotonic, `at` epoch seconds. `bad_items` counts what is no item. `stamps`: the last of each edge.
    """

    def __init__(self, env: Environment, store: Store, *, native: bool = True) -> None:
        self.proxy = Proxy(env)
        self.bad_items = 0
        self.stamps: dict[int, float] = {}
        self._env = env
        self._store = store
        self._saved = TransactionLog(store, env.numbers)
        env.next_hops.tell = self._forget_facts
        self._facts = Facts(env)
        self._effects = ProxyEffects(0.0, at=0.0)
        self._out: list[list[bytes]] = [[], [], []]
        self._lookups: list[Question] = []
        self._asks: list[Ask] = []
        self._delegated: list[Delegated] = []
        self._led: list[Led] = []
        self._dialled: list[Dialled] = []
        self._touched: dict[object, None] = {}
        self._is_stirred = True  # whether the reference may have done something since the last step
        self._due: float | None = None  # the deadline of the reference
        self.engine = make_engine(env, self, self._facts) if native else None
        if self.engine is not None:
            self._saved.numbers = self.engine

    def restore(self, now: float, at: float) -> int:
        """Take the predecessor's saved transactions up again, those that are not over; return how many there were."""
        self._begin(now, at)
        restored = self._saved.take_over(self._env, self._effects)
        self.proxy.begin(self._effects)
        self._note_handed(now)
        self._hand_out()
        return restored

    def take_in(self, units: Iterable[SavedTransaction], now: float, at: float) -> int:
        """Take over what a router of another host has shipped; return how many of them go on."""
        self._begin(now, at)
        count = self._saved.take_in(units, self._env, self._effects)
        self._note_handed(now)
        self._hand_out()
        return count

    def others_awaited(self) -> set[int]:
        """The numbers of other routers whose requests have no final response yet, which is awaited here."""
        own, prefix = self._env.branches.router, len(BRANCH_PREFIX)
        found = {
            branch[prefix : prefix + _MOST_DIGITS].partition(".")[0]
            for (branch, _), client in self._env.layer.clients.items()
            if not branch.startswith(own) and client.state <= ClientState.PROCEEDING
        }
        return {int(number) for number in found if number.isdecimal()}

    def _note_handed(self, now: float) -> None:
        if self.engine is None:
            return
        for branch, host, port, *_ in self._env.layer.server_keys():
            if isinstance(branch, str) and isinstance(host, str) and isinstance(port, int):
                self.engine.note_handed(_octets(branch), host, port, now)  # others are of odd requests

    def receive(self, frame: bytes, start: int, now: float, at: float) -> int | None:
        """Take the packed list of `sip.received` items that begins at `start`; None if it has to be unpacked."""
        if self.engine is None:
            return None
        return self.engine.receive(frame, start, now, at)

    def receive_items(self, items: Iterable[Any], now: float, at: float) -> None:
        """Take unpacked items."""
        self._begin(now, at)
        for item in items:
            if isinstance(item, float):
                self.take_stamp(item)
            elif _is_datagram(item):
                self._take(*item)
            else:
                self.bad_items += 1
        if self.engine is None:
            self._hand_out()

    def undeliverable(self, flow: Flow, sent: bytes, now: float, at: float) -> None:
        """The network says that it could not deliver over `flow` what begins like `sent` (untrusted)."""
        self._begin(now, at)
        if self.engine is not None and (quoted := parse_quoted(sent)):
            self.engine.surrender_client(_octets(quoted.branch), quoted.method)
            if quoted.method == "CANCEL":
                self.engine.surrender_client(_octets(quoted.branch), "INVITE")
        self.proxy.undeliverable(flow, sent, self._effects)
        self._hand_out()

    def resolved(
        self, lookup: Lookup, hops: Sequence[NextHop], now: float, at: float, lasts_s: float = 0.0
    ) -> None:
        """The answer to a `Lookup`, and how long it is true: no hop if the name leads nowhere."""
        self._begin(now, at)
        self._env.next_hops.learn(lookup, hops, lasts_s, now, at)
        self.proxy.resolved(lookup, hops, self._effects)
        self._hand_out()

    def relayed(self, token: int, told: Told, now: float, at: float) -> None:
        """A media engine has answered what is known by this token; or none has."""
        relays = self._env.relays
        if relays is None:
            return
        self._begin(now, at)
        if self.engine is not None and self.engine.awaits(token):
            place = _place_of(told, relays)
            if place is not None and self.engine.told(token, place, told.sdp, told.figures):
                return
            self.engine.surrender_asked(token)  # it has been asked again, and this is the answer
            token = next((each.token for each in reversed(self._asks) if each.token is not None), token)
            self._asks = [each for each in self._asks if each.token != token]
        relays.told(token, told, self._effects)
        self._hand_out()

    def repeat(self, instance: int, streams: int, now: float, at: float) -> int:
        """Another process does the work of that edge-stream, of so many: send again what the former may have lost.

        Returns the number of transactions.
        """
        self._begin(now, at)
        repeated = self._env.layer.repeat(instance, streams, self._effects)
        self._hand_out()
        return repeated + (self.engine.repeat(instance, streams) if self.engine else 0)

    def end_call(self, raw: bytes, now: float, at: float) -> str:
        """End a call for the operator: send the BYE `raw` of one side, or do what its CANCEL would do.

        Returns why that cannot be done, "" if it is under way. ParseError if it is no request.
        """
        request = parse_message(raw)
        self._begin(now, at)
        if request.method == "CANCEL":
            self._surrender(request.raw, request.index.tobytes())
        why = self.proxy.end_call(request, self._effects)
        self._hand_out()
        return why

    def send_own(self, requests: Iterable[Wanted], now: float, at: float) -> None:
        """Send these requests of workers; `own_answers` has their final responses, at once or later."""
        self._begin(now, at)
        for wanted in requests:
            self.proxy.own_requests.send(wanted, self._effects)
        self._hand_out()

    def own_answers(self) -> dict[str, list[Answer]]:
        """What workers are to hear since the last time."""
        return self.proxy.own_requests.take_answers()

    def bindings_changed(self, users: Iterable[str] | None) -> None:
        """The bindings of these users are others now; None: of any."""
        if self.engine is None:
            return
        if users is None or self._facts.is_full:
            self._forget_facts()
            return
        for user in users:
            for key in self._facts.changed(user):
                self.engine.forget(key)

    def own(self, domains: OwnDomains) -> None:
        """From now on, `domains` are ours."""
        self._env.policy.own = domains
        self._forget_facts()

    def _forget_facts(self) -> None:
        if self.engine is not None:
            self._facts.clear()
            self.engine.forget_all()

    def note_lag(self, lag_s: float, now: float) -> None:
        """Input up to now was late by this time (s)."""
        caps, engine = self._env.caps, self.engine
        if caps is None:
            return
        if engine is not None:
            caps.overload.count(engine.admitted)
            engine.admitted = 0
        caps.overload.note(lag_s, now)
        if engine is not None:
            engine.is_pressing = caps.overload.is_pressing(now)

    def advance(self, now: float, at: float) -> None:
        """Let every timer fire whose time has come."""
        self._begin(now, at)
        if self.engine is not None:
            self.engine.advance(now, at)
        if self._is_stirred or (self._due is not None and self._due <= now) or len(self._env.unconfirmed):
            self.proxy.handle_timer(self._effects)
            self._hand_out()

    def take(self, now: float) -> Effects:
        """End the step: put into the store what a successor needs, and return what is to be done."""
        if self._is_stirred:
            self._saved.save(self._touched, now)
            self._touched.clear()
            self._due = self.proxy.next_deadline()
            self._is_stirred = False
        lookups, self._lookups = self._lookups, []
        delegated, self._delegated = self._delegated, []
        dialled, self._dialled = self._dialled, []
        asks, self._asks = [*self._asks_of_engine(), *self._asks], []
        led, self._led = self._led, []
        if self.engine is None:
            requests, responses, events = self._out
            self._out = [[], [], []]
            return Effects(_run(requests), _run(responses), events, lookups, delegated, asks, dialled, led)
        self._keep(self.engine.take_records())
        engine = self.engine
        engine.asked = False
        runs = engine.take_requests(), engine.take_responses()
        return Effects(*runs, engine.take_events(), lookups, delegated, asks, dialled, led)

    def _asks_of_engine(self) -> Iterable[Ask]:
        """The questions of the engine, unless they leave by a line of its own (`workers/fast_path.py`)."""
        engine, relays = self.engine, self._env.relays
        if engine is None or relays is None or engine.has_line:
            return
        for token, place, octets in unpack(engine.take_questions()):
            command = command_in(octets)
            engines = relays.in_order(str(command["call-id"]), relays.engines[place].sum)
            yield Ask(token or None, command, engines, moves_on=True)

    @property
    def next_deadline(self) -> float | None:
        """When `advance` is due."""
        due = self.reference_deadline
        native = None if self.engine is None else self.engine.next_deadline
        if native is None:
            return due
        return native if due is None or native < due else due

    @property
    def reference_deadline(self) -> float | None:
        """When it is due for what the reference holds."""
        return self.proxy.next_deadline() if self._is_stirred else self._due

    def forget_units(self) -> None:
        """The machine was started anew: no saved transaction of the predecessor is of use."""
        self._saved.forget_all()

    def stats(self) -> dict[str, float]:
        """Counters, and what is held."""
        layer, engine = self._env.layer, self.engine
        counters: dict[str, float] = {
            **self.proxy.counters,
            "server_transactions": layer.server_count,
            "client_transactions": layer.client_count,
            "repetitions_withheld": layer.repetitions.withheld,
            **self._env.large.stats(),
            **(self._env.relays.counters if self._env.relays else {}),
            **self.proxy.own_requests.stats(),
        }
        if planner := self._env.policy.planner:
            counters["members_left_out"] = planner.left_out
        if engine is not None:
            absorbed = counters.get("responses_absorbed", 0)
            counters["responses_absorbed"] = absorbed + engine.absorbed
            counters |= {
                "plain": engine.plain,
                "odd": engine.odd,
                "handed_over": engine.handed_over,
                "facts_learned": engine.learned,
            }
            for name, count in zip(RELAYED_COUNTERS, engine.media_counters(), strict=True):
                if count:
                    counters[name] = counters.get(name, 0) + count
        return counters

    # what the engine asks of its reference

    def begin(self, now: float, at: float) -> None:
        """What comes now comes at this instant."""
        self._effects.now, self._effects.at = now, at  # they are unused: whoever uses them hands them out

    def take_odd(self, raw: bytes, index: bytes, octets: bytes) -> None:
        """Take what is not plain, with the saved transaction that it belongs to."""
        self._surrender(raw, index)
        self._refer(raw, index, octets)
        self._hand_out()

    def admit(self, raw: bytes, index: bytes, octets: bytes) -> bytes | None:
        """Return the user who sends a plain request outside a dialog; None if it is refused; then it is answered."""
        incoming = IncomingRequest(Message(raw, index), Flow.unpack(octets), self._env.policy.own)
        user = self.proxy.admit(incoming, self._effects)
        if user is None:
            self._hand_out()
        return None if user is None else _octets(user)

    def take_stamp(self, stamp: float) -> None:
        """A stamp of an edge came: of one that came before in this round a later one has the meaning, too."""
        self.stamps[read_stamp(stamp)[0]] = stamp

    def take_stamps(self) -> Iterable[float]:
        """The last stamp of each edge since the last time."""
        taken, self.stamps = self.stamps, {}
        return taken.values()

    def adopt(self, number: int, contact: bytes | None) -> None:
        """Take a saved transaction over. `contact`: of the 2xx whose ACK is awaited, None if none is."""
        assert self.engine is not None
        self._is_stirred = True
        self._keep(self.engine.drain_records())
        saved = self._saved.adopt(number, self._env, self._effects.now)
        if contact is not None:
            expect_ack(saved, text_of(contact), self._env)
        if self._env.relays is not None:
            ask_again(saved, self._effects)
            if self._effects.asks or self._effects.requests:
                self._hand_out()

    def _begin(self, now: float, at: float) -> None:
        """What comes now, from outside of the engine, comes at this instant."""
        self.begin(now, at)
        if self.engine is not None:
            self.engine.begin(now, at)

    def _take(self, flow: bytes, index: bytes, raw: bytes) -> None:
        if self.engine is None:
            self._refer(raw, index, flow)
        elif not self.engine.take(raw, index, flow, self._effects.now, self._effects.at):
            self.take_odd(raw, index, flow)

    def _refer(self, raw: bytes, index: bytes, octets: bytes) -> None:
        """Give a datagram to the reference."""
        try:
            flow = Flow.unpack(octets)
        except FlowError:
            self.bad_items += 1
        else:
            self.proxy.receive(raw, index, flow, self._effects)

    def _surrender(self, raw: bytes, index: bytes) -> None:
        """Have the engine hand over the saved transactions to which an odd message may belong."""
        engine = self.engine
        if engine is None or not index:
            return
        try:
            message = Message(raw, index)
            via = message.via
        except ParseError:
            return
        if message.status:
            engine.surrender_client(_octets(via.branch), message.method)
            return
        key = _octets(via.branch.lower()), via.host, via.port or DEFAULT_PORT
        engine.surrender_server(*key, message.method)
        if message.method == "CANCEL":
            engine.surrender_server(*key, "INVITE")
        elif message.method == "ACK":
            engine.surrender_awaiting(
                _octets(message.call_id), _octets(message.from_tag), max(0, message.cseq[0])
            )
        engine.note_handed(*key, self._effects.now)

    def _hand_out(self) -> None:
        """Put what the reference decided behind what was decided before it."""
        effects, engine = self._effects, self.engine
        if self._env.relays is not None:
            self._end_relaying(effects)
        self._is_stirred = True
        self._touched |= effects.touched
        self._lookups += effects.lookups
        self._asks += effects.asks
        self._delegated += effects.delegated
        self._led += effects.led
        self._dialled += effects.dialled
        events = [_packed(event) for event in effects.events]
        if engine is None:
            self._out[0] += [pack([to.pack(), raw]) for to, raw in effects.requests]
            self._out[1] += [pack([to.pack(), raw, *reader]) for to, raw, reader in effects.responses]
            self._out[2] += events
        else:
            for to, raw in effects.requests:
                engine.send(to.pack(), raw)
            for to, raw, reader in effects.responses:
                engine.answer(to.pack(), raw, *reader)
            for event in events:
                engine.tell(event)
            engine.others_await = len(self._env.unconfirmed) > 0
            engine.others = self._env.layer.own_server_count
        self._effects = ProxyEffects(effects.now, at=effects.at)

    def _end_relaying(self, effects: ProxyEffects) -> None:
        """What was touched may have forks that have failed: no engine has to keep ports for those."""
        for touched in effects.touched:
            if isinstance(touched, ServerTransaction) and isinstance(touched.user, ResponseContext):
                touched.user.tidy(effects)

    def _keep(self, records: bytes) -> None:
        if records:
            self._store.put_records(records)


def _is_datagram(item: Any) -> bool:
    return isinstance(item, list) and len(item) == 3 and all(isinstance(each, bytes) for each in item)


def _place_of(told: Told, relays: Relays) -> int | None:
    """Which of the media engines has answered; None for a complaint, with which the engine does not go on."""
    if told.engine is None or told.error or told.knew_nothing or told.lost:
        return None
    return relays.engines.index(told.engine) if told.engine in relays.engines else None


def _run(items: list[bytes]) -> Run:
    return len(items), b"".join(items)


def _packed(event: CallEvent) -> bytes:
    kind, call_id, from_tag, at, details = event
    return pack([kind, call_id, from_tag, at, *details])


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
