"""A playbook for the proxy core: what comes in, what must go out, time advanced by hand.

`Board` is a proxy with known users; its phones are just addresses. Everything that the core decides is
collected; `sent` and `answers` take what is new.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from flows import udp

from switchboard.auth.authenticator import Authenticator, Trusted
from switchboard.auth.failures import Failures
from switchboard.codec import list_head, pack, unpack
from switchboard.core.authorization import Admission
from switchboard.core.call_rules import CallRules
from switchboard.core.commands import CallEvent, Delegated, Dialled, Led, Lookup, NextHop, Question
from switchboard.core.delegation import EventPolicy
from switchboard.core.dial_plan import DialPlan
from switchboard.core.dialog_seal import NOBODY, DialogSeals, Side, Sides
from switchboard.core.domains import OwnDomains
from switchboard.core.environment import Environment
from switchboard.core.limits import Caps
from switchboard.core.loop_detection import Branches
from switchboard.core.place import address_named
from switchboard.core.planner import Planner
from switchboard.core.proxy import Proxy
from switchboard.core.relays import Relays
from switchboard.core.router_core import Effects, RouterCore, Run
from switchboard.core.star_codes import StarCodes
from switchboard.core.targets import TargetPolicy
from switchboard.core.timers import TimerValues
from switchboard.core.transaction_log import BASE, STATE
from switchboard.core.transactions import TransactionLayer
from switchboard.core.trunk_sources import ASKER
from switchboard.core.trunks import Trunks
from switchboard.media.bencode import encode
from switchboard.media.commands import Ask, Told
from switchboard.media.engine import Engine
from switchboard.registrar.binding import Binding
from switchboard.registrar.replica import Replica
from switchboard.registrar.user_table import pack_users
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import NAMES, UDP, Flow, format_hop
from switchboard.sip.message import Message, parse_message
from switchboard.sip.respond import Hop
from switchboard.sip.scan import scan
from switchboard.sip.uri import SipUri
from switchboard.wal.segment import records_in

HOST = "10.0.0.1"
PORT = 5060
LUKAS = ("10.0.0.11", 5060)
LENKA = ("10.0.0.12", 5060)
LENKA_TABLET = ("10.0.0.22", 5070)
PETER = ("10.0.0.13", 5060)
FRAGILE = [False]
"""Whether the boards of a test crash after every step (`tests/core/conftest.py`)."""
NATIVE = [True]
"""Whether they have an engine, where it was compiled."""
KEY = b"k" * 32
REALM = "pbx.example"
EPOCH = 1_800_000_000.0
NAMES_LAST_S = 60.0
"""So long the answer to a look-up is true."""


@dataclass
class Sent:
    """A message that left: `to` whom, its bytes, and over which `flow`."""

    to: Hop
    raw: bytes
    flow: Flow | None = None

    @cached_property
    def message(self) -> Message:
        return parse_message(self.raw)

    @property
    def line(self) -> str:
        """The start line."""
        return self.raw.split(b"\r\n", 1)[0].decode("utf-8", "surrogateescape")

    @property
    def status(self) -> int:
        """The status code of a response."""
        return int(self.raw[8:11])

    @property
    def branch(self) -> str:
        return self.message.top_via.partition("branch=")[2].partition(";")[0]


ENGINES = (Engine("10.0.0.90", 2223), Engine("10.0.0.91", 2223))


class MemoryLog(dict[bytes, bytes]):
    """The log of a board: what a KeyedLog is on disk."""

    def put(self, key: bytes, value: bytes) -> None:
        self[key] = value

    def erase(self, key: bytes) -> None:
        self.pop(key, None)

    def put_records(self, records: bytes) -> None:
        for key, value in records_in(records):
            if value is None:
                self.erase(key)
            else:
                self.put(key, value)


@dataclass
class Board:
    """The proxy under test, with its clock at `now` seconds."""

    recurse: bool = True
    open_relay: bool = False
    max_forks: int = 50
    max_transactions: int = 1_000_000
    max_source_transactions: int = 1_000_000
    authenticator: Authenticator | None = None
    strangers: bool = False
    trusted: tuple[str, ...] = ()
    away: tuple[str, ...] = ()
    keeps_identity: bool = False
    asserted_domain: str = ""
    dial_plan: DialPlan | None = None
    trunks: Trunks | None = None
    packages: EventPolicy | None = None
    keeps_messages: bool = False
    rules: CallRules | None = None
    dnd_status: int = 480
    foreign_users: tuple[str, ...] | None = None
    diverts: bool = False
    star_codes: StarCodes | None = None
    tcp_above: int = 1300
    transports: Mapping[int, int] = field(default_factory=lambda: {UDP: PORT})
    failures: Failures = field(default_factory=Failures)
    router: int = 0
    fragile: bool = field(default_factory=lambda: FRAGILE[0])
    native: bool = field(default_factory=lambda: NATIVE[0])
    now: float = 1000.0
    requests: list[Sent] = field(default_factory=list)
    responses: list[Sent] = field(default_factory=list)
    events: list[CallEvent] = field(default_factory=list)
    lookups: list[Lookup] = field(default_factory=list)
    delegated: list[Delegated] = field(default_factory=list)
    led: list[Led] = field(default_factory=list)
    dialled: list[Dialled] = field(default_factory=list)
    relay_media: str = ""
    advertised: str = ""
    asks: list[Ask] = field(default_factory=list)
    askers: list[str] = field(default_factory=list)
    names: dict[Lookup, tuple[NextHop, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.replica = Replica()
        self.replica.load((0, {}))
        self.log = MemoryLog()
        self.lives = 0
        self.core = self._make_core(self.log, self.native)
        self.replica.tell = self.core.bindings_changed
        self.core.restore(self.now, EPOCH + self.now)
        self.twin = None if not self.native or self.authenticator else Twin(self)

    @property
    def proxy(self) -> Proxy:
        """The reference, to whom everything odd goes."""
        return self.core.proxy

    def _make_core(self, log: MemoryLog, native: bool) -> RouterCore:
        caps = Caps(self.replica, self.max_transactions, self.max_source_transactions, ())
        realm = REALM if self.authenticator else ""
        hosts = [HOST, "127.0.0.1"]
        own = OwnDomains(
            hosts,
            ["pbx.example"],
            PORT,
            realm,
            self.transports,
            away=self.away,
            takes_tel=self.dial_plan is not None,
        )
        trusted = Trusted(self.trusted)
        seals = DialogSeals(KEY)
        policy = TargetPolicy(
            own=own,
            locations=self.replica,
            seals=seals,
            open_relay=self.open_relay,
            trusted=trusted,
            failures=self.failures if log is self.log else Failures(),
            keeps_identity=self.keeps_identity,
            dial_plan=self.dial_plan,
            trunks=self.trunks,
            events=self.packages,
            keeps_messages=self.keeps_messages,
        )
        if self.rules is not None:
            policy.planner = Planner(self.rules, policy, self.max_forks, self.dnd_status, self.foreign_users)
        return RouterCore(
            Environment(
                layer=TransactionLayer(TimerValues()),
                policy=policy,
                admission=Admission(self.authenticator, policy, strangers=self.strangers)
                if self.authenticator
                else None,
                branches=Branches(self.router, f"t{self.lives}-"),
                source_address=lambda host: HOST,  # noqa: ARG005
                port=PORT,
                incarnation=f"t{self.lives}",
                recurse=self.recurse,
                max_forks=self.max_forks,
                caps=caps,
                asserted_domain=self.asserted_domain,
                tcp_above=self.tcp_above,
                relays=Relays(ENGINES, self.relay_media, KEY, self.advertised) if self.relay_media else None,
                diverts=self.diverts,
                star_codes=self.star_codes,
            ),
            log,
            native=native,
        )

    def bind(self, user: str, *contacts: str, **more: object) -> None:
        """Register `user` at `contacts`: URIs, or "URI;q=0.5"."""
        bindings = []
        for contact in contacts:
            uri, _, q = contact.partition(";q=")
            host = uri.partition("@")[2].partition(":")[0].partition(";")[0]
            fields = {"q": float(q or 1), "expires_at": EPOCH + 1e6, "source": f"{host}:5060"} | more
            bindings.append(Binding(uri, **fields))  # type: ignore[arg-type]
        self.replica.apply(self.replica.number + 1, pack_users({user: bindings}))

    def receive(self, raw: bytes, source: Hop | Flow, local: str = HOST) -> None:
        """A datagram arrives, or a message over a connection."""
        flow = source if isinstance(source, Flow) else udp(*source, local)
        try:
            index = scan(raw)
        except ParseError:
            index = b""
        items = pack([[flow.pack(), index, raw]])
        self._step(lambda core: _receive(core, items, *self._moment))

    def end_call(self, raw: bytes) -> str:
        """The operator ends a call; returns why not."""
        answers: list[str] = []
        self._step(lambda core: answers.append(core.end_call(raw, *self._moment)))
        return answers[0]

    def note_lag(self, lag_s: float, now: float) -> None:
        """What came up to `now` was late by so much."""
        self._step(lambda core: core.note_lag(lag_s, now))

    def lose(self, sent: Sent, octets: int = 520, to: Hop | None = None) -> None:
        """The network says that it could not deliver what was sent, of which it quotes so many `octets`."""
        flow = sent.flow if sent.flow and not to else udp(*(to or sent.to))
        self._step(lambda core: core.undeliverable(flow, sent.raw[:octets], *self._moment))

    def repeat(self, instance: int) -> None:
        """That edge-stream has been replaced; there are two of them."""
        self._step(lambda core: core.repeat(instance, 2, *self._moment))

    def advance(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.now + seconds
        while (deadline := self.core.next_deadline) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self._step(lambda core: core.advance(*self._moment))
        self.now = end

    def resolve(self, lookup: Lookup, *hops: Hop | NextHop | None) -> None:
        """The answer to a look-up of a name arrives: where it leads, by its transport if they do not say."""
        found = [hop if isinstance(hop, NextHop) else NextHop(*hop, lookup.transport) for hop in hops if hop]
        self._step(lambda core: core.resolved(lookup, found, *self._moment))

    def relayed(self, told: Told) -> Ask:
        """The media engines answer what was asked first of what is waited for; return that."""
        ask = next(each for each in self.asks if each.token is not None)
        self.asks.remove(ask)
        tokens = {self.core: ask.token} | (self.twin.tokens_of(ask) if self.twin else {})
        self._step(lambda core: core.relayed(tokens.get(core) or 0, told, *self._moment))
        return ask

    def sent(self) -> list[Sent]:
        """The requests that left since the last call."""
        taken, self.requests = self.requests, []
        return taken

    def answers(self) -> list[Sent]:
        """The responses that left since the last call."""
        taken, self.responses = self.responses, []
        return taken

    def statuses(self) -> list[int]:
        """The status codes that left since the last call."""
        return [answer.status for answer in self.answers()]

    def kinds(self) -> list[str]:
        """The kinds of the call events so far."""
        return [event.kind for event in self.events]

    def crash(self) -> list[Sent]:
        """The process dies and its successor goes on with what was written ahead; returns what it repeats."""
        counters = self.proxy.counters
        self.lives += 1
        self.core = self._make_core(self.log, self.native)
        self.replica.tell = self.core.bindings_changed
        self.proxy.counters = counters
        self.core.restore(*self._moment)
        if self.twin:
            self.twin.crash()
        effects = self.core.take(self.now)
        self.asks = asked([each for each in self.asks if each.token is None], effects.asks)
        self.lookups += (each.lookup for each in effects.lookups if each.lookup not in self.lookups)
        return [*_sent_in(effects.requests), *_sent_in(effects.responses)]

    @property
    def _moment(self) -> tuple[float, float]:
        return self.now, EPOCH + self.now

    def take(self, core: RouterCore) -> Effects:
        """End a step. What it asks of `names` is answered at once, as by a resolver that remembers.

        Where every step ends in a crash, each life asks anew where the trunks are, and is not answered.
        """
        effects = core.take(self.now)
        while wanted := [each.lookup for each in effects.lookups if self._answers(each)]:
            core.resolved(wanted[0], self.names[wanted[0]], *self._moment, NAMES_LAST_S)
            left = [each for each in effects.lookups if each.lookup != wanted[0] or not self._answers(each)]
            effects = _joined(effects._replace(lookups=left), core.take(self.now))
        return effects

    def _answers(self, question: Question) -> bool:
        return question.lookup in self.names and not (self.fragile and question.asker == ASKER)

    def _step(self, step: Callable[[RouterCore], object]) -> None:
        step(self.core)
        effects = self.take(self.core)
        self.asks = asked(self.asks, effects.asks)
        if self.twin:
            self.twin.step(step, effects)
        self.requests += _sent_in(effects.requests)
        self.responses += _sent_in(effects.responses)
        for event in effects.events:
            kind, call_id, from_tag, at, *details = unpack(event)
            self.events.append(CallEvent(kind, call_id, from_tag, at, tuple(details)))
        self.delegated += effects.delegated
        self.led += effects.led
        self.dialled += effects.dialled
        for lookup, asker in effects.lookups:
            self.askers.append(asker)
            if lookup not in self.lookups:
                self.lookups.append(lookup)
        if self.fragile:
            self.crash()


class Twin:
    """The reference alone, told the same as a board with an engine: both decide, and keep, the same."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._log = MemoryLog()
        self.asks: list[Ask] = []
        self.unconfirmed = 0
        """How many calls whose ACK did not come it has told of; the engine may tell of them in an earlier step."""
        self.crash()

    def step(self, step: Callable[[RouterCore], object], effects: Effects) -> None:
        """Take the step, too, and compare."""
        step(self._core)
        expected = self._board.take(self._core)
        self.unconfirmed += list(map(_is_hint, expected.events)).count(True)
        assert _sorted(effects) == _sorted(expected)
        self.asks = asked(self.asks, expected.asks)
        assert sorted(map(_question, self._board.asks)) == sorted(map(_question, self.asks))
        now = self._board.now
        assert_same(_kept(self._board.log, now), _kept(self._log, now))

    def crash(self) -> None:
        """Die, too."""
        board = self._board
        self._core = board._make_core(self._log, False)
        self._core.restore(board.now, EPOCH + board.now)
        waiting = [each for each in self.asks if each.token is None]
        self.asks = asked(waiting, self._core.take(board.now).asks)

    def tokens_of(self, ask: Ask) -> dict[RouterCore, int | None]:
        """By which token it knows a question of the board, which is answered now."""
        own = next(each for each in self.asks if each.token is not None and _question(each) == _question(ask))
        self.asks.remove(own)
        return {self._core: own.token}


def asked(before: Iterable[Ask], more: Sequence[Ask]) -> list[Ask]:
    """The questions to media engines, of which each that waits for an answer is there once: it may be asked again."""
    repeated = [_question(each) for each in more if each.token is not None]
    return [*(each for each in before if each.token is None or _question(each) not in repeated), *more]


def _question(ask: Ask) -> tuple[bool, bytes, list[Engine]]:
    return ask.token is None, encode(dict(ask.command)), list(ask.engines)


def _joined(one: Effects, other: Effects) -> Effects:
    fields: list[Any] = [
        (mine[0] + theirs[0], mine[1] + theirs[1]) if isinstance(mine, tuple) and mine else [*mine, *theirs]
        for mine, theirs in zip(one, other, strict=True)
    ]
    return Effects(*fields)


def _sorted(effects: Effects) -> list[list[object]]:
    """What is due at the same instant comes in any order."""
    runs = [unpack(list_head(count) + items) for count, items in (effects.requests, effects.responses)]
    events = [event for event in effects.events if not _is_hint(event)]
    more = effects.delegated, effects.dialled, effects.led
    lookups = [
        each for each in effects.lookups if each.asker != ASKER
    ]  # they come when the reference is stirred
    return [sorted(each) for each in (*runs, events, lookups, *more)]


def assert_same(kept: dict[bytes, Any], expected: dict[bytes, Any]) -> None:
    """What a successor finds is what it is to find."""
    for key in kept.keys() & expected.keys():
        if key[:1] == BASE:
            _forget_what_was_sent(kept[key], expected[key])
    assert kept == expected


def _forget_what_was_sent(one: list[Any], other: list[Any]) -> None:
    """Who has restored a transaction has the request that it sent; who has sent it lets go of it at the end."""
    for branches in zip(one[2][-1] if one[2] else (), other[2][-1] if other[2] else (), strict=True):
        clients = [branch[-1] for branch in branches if branch[-1]]
        if any(not client[-1] for client in clients):
            for client in clients:
                client[-1] = b""


def _is_hint(event: bytes) -> bool:
    return bool(unpack(event)[0] == "unconfirmed")


def _kept(log: MemoryLog, now: float) -> dict[bytes, object]:
    """What a successor finds.

    The reference ends a transaction of a unit that it restored for something sent twice, when the time of that
    is over; where the unit has been asleep since, or is the engine's, only the whole unit ends.
    """
    kept = {key: unpack(value) for key, value in log.items()}
    return {key: _without_overdue(value, now) if key[:1] == STATE else value for key, value in kept.items()}


def _without_overdue(state: list[Any], now: float) -> list[Any]:
    _, transaction, context = state
    armed = [
        transaction[-1],
        *(each for branch in (context[-1] if context else ()) for each in _armed_of(branch)),
    ]
    if any(letter not in "DIJKLM" for timers in armed for letter in timers):
        return state
    for branch in context[-1] if context else ():
        client = branch[-1]
        if client and all(when <= now for when in client[-1].values()):
            branch[-1] = None
    is_overdue = all(when <= now for when in transaction[-1].values())
    return [None, None if is_overdue else transaction, context]


def _armed_of(branch: list[Any]) -> Iterator[dict[str, float]]:
    yield branch[-2]
    if branch[-1]:
        yield branch[-1][-1]


def _receive(core: RouterCore, items: bytes, now: float, at: float) -> None:
    if core.receive(items, 0, now, at) is None:
        core.receive_items(unpack(items), now, at)


def _sent_in(run: Run) -> list[Sent]:
    count, items = run
    found = [(Flow.unpack(item[0]), item[1]) for item in unpack(list_head(count) + items)]
    return [Sent(flow.hop, raw, flow) for flow, raw in found]


def request(
    method: str,
    uri: str,
    *,
    branch: str = "z9hG4bKa1",
    source: Hop | Flow = LUKAS,
    cseq: int = 1,
    to_tag: str = "",
    caller: str = "sip:lukas@10.0.0.1",
    call_id: str = "call-1",
    lines: tuple[str, ...] = (),
    max_forwards: str = "70",
    body: bytes = b"",
) -> bytes:
    """A request as a phone writes it."""
    tag = f";tag={to_tag}" if to_tag else ""
    transport, (host, port) = (source.transport, source.hop) if isinstance(source, Flow) else (UDP, source)
    head = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/{NAMES[transport]} {format_hop(host, port)};branch={branch};rport",
        *([f"Max-Forwards: {max_forwards}"] if max_forwards else []),
        f"From: <{caller}>;tag=from-1",
        f"To: <{uri}>{tag}",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} {'INVITE' if method == 'ACK' else method}".replace("INVITE", "ACK")
        if method == "ACK"
        else f"CSeq: {cseq} {method}",
        *lines,
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(head).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def own_route(
    uri: str,
    *,
    tag: str = "t",
    call_id: str = "call-1",
    follower: str = "10.0.0.99",
    may_follow: bool = False,
    key: bytes = KEY,
) -> str:
    """Our Record-Route of a dialog: it leads to the caller with `tag`, whose target is `uri`, from `follower`."""
    seals, parsed = DialogSeals(key), SipUri.parse(uri)
    caller = Side(
        udp(*address_named(parsed), HOST), seals.target_of(parsed, uri), NOBODY, False, False, False
    )
    callee = caller._replace(flow=udp(follower, 5060, HOST), may_follow=may_follow)
    return f"<sip:{HOST}:{PORT};lr;sb={seals.make(Sides(caller, callee), call_id, tag)}>"


def response(
    to: Message, status: int, reason: str = "Whatever", *, tag: str = "to-1", lines: tuple[str, ...] = ()
) -> bytes:
    """A response of a callee to the request that reached it."""
    head = [f"SIP/2.0 {status} {reason}"]
    head += (f"Via: {value}" for value in to.values("via"))
    head += (f"Record-Route: {value}" for value in to.values("record-route"))
    head += (
        f"From: {to.get('from')}",
        f"To: {to.get('to')}" + (f";tag={tag}" if not to.to_tag and tag else ""),
    )
    head += (f"Call-ID: {to.call_id}", f"CSeq: {to.get('cseq')}", *lines, "Content-Length: 0")
    return "\r\n".join(head).encode("utf-8", "surrogateescape") + b"\r\n\r\n"
