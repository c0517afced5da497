"""A playbook for the proxy core: what comes in, what must go out, time advanced by hand.

`Board` is a proxy with known users; its phones are just addresses. Everything that the core decides is
collected; `sent` and `answers` take what is new.
"""

from dataclasses import dataclass, field
from functools import cached_property

from flows import udp

from switchboard.auth.authenticator import Authenticator, Trusted
from switchboard.auth.failures import Failures
from switchboard.core.authorization import Admission
from switchboard.core.commands import CallEvent, Lookup, ProxyTurn
from switchboard.core.dialog_seal import NOBODY, DialogSeals, Side, Sides, address_named
from switchboard.core.domains import OwnDomains
from switchboard.core.environment import Environment
from switchboard.core.limits import Caps
from switchboard.core.loop import Branches
from switchboard.core.proxy import Proxy
from switchboard.core.targets import TargetPolicy
from switchboard.core.timers import TimerValues
from switchboard.core.transactions import TransactionLayer
from switchboard.registrar.binding import Binding
from switchboard.registrar.replica import Replica
from switchboard.registrar.user_table import pack_users
from switchboard.sip.errors import ParseError
from switchboard.sip.message import Message, parse_message
from switchboard.sip.respond import Hop
from switchboard.sip.scan import scan
from switchboard.sip.uri import SipUri
from switchboard.wal.unit_log import UnitLog

HOST = "10.0.0.1"
PORT = 5060
LUKAS = ("10.0.0.11", 5060)
LENKA = ("10.0.0.12", 5060)
LENKA_TABLET = ("10.0.0.22", 5070)
PETER = ("10.0.0.13", 5060)
FRAGILE = [False]
"""Whether the boards of a test crash after every step (`tests/core/conftest.py`)."""
KEY = b"k" * 32
REALM = "pbx.example"
EPOCH = 1_800_000_000.0


@dataclass
class Sent:
    """A datagram that left: `to` whom, and its bytes."""

    to: Hop
    raw: bytes

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


class MemoryLog(dict[bytes, bytes]):
    """The log of a board: what a KeyedLog is on disk."""

    def put(self, key: bytes, value: bytes) -> None:
        self[key] = value

    def erase(self, key: bytes) -> None:
        self.pop(key, None)


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
    keeps_identity: bool = False
    asserted_domain: str = ""
    failures: Failures = field(default_factory=Failures)
    fragile: bool = field(default_factory=lambda: FRAGILE[0])
    now: float = 1000.0
    requests: list[Sent] = field(default_factory=list)
    responses: list[Sent] = field(default_factory=list)
    events: list[CallEvent] = field(default_factory=list)
    lookups: list[Lookup] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.replica = Replica()
        self.replica.load((0, {}))
        self.log = MemoryLog()
        self.units = UnitLog(self.log)
        self.lives = 0
        self.proxy = self._make_proxy()
        self.units.take_over(self.proxy.env, self._turn())

    def _make_proxy(self) -> Proxy:
        self.lives += 1
        self.caps = Caps(self.replica, self.max_transactions, self.max_source_transactions, ())
        realm = REALM if self.authenticator else ""
        own = OwnDomains([HOST, "127.0.0.1"], ["pbx.example"], PORT, realm)
        trusted = Trusted(self.trusted)
        seals = DialogSeals(KEY)
        policy = TargetPolicy(
            own,
            self.replica,
            seals,
            self.open_relay,
            trusted=trusted,
            failures=self.failures,
            keeps_identity=self.keeps_identity,
        )
        return Proxy(
            Environment(
                layer=TransactionLayer(TimerValues()),
                policy=policy,
                admission=Admission(self.authenticator, policy, strangers=self.strangers)
                if self.authenticator
                else None,
                branches=Branches(0, f"t{self.lives}-"),
                facing=lambda host: HOST,  # noqa: ARG005
                port=PORT,
                incarnation=f"t{self.lives}",
                recurse=self.recurse,
                max_forks=self.max_forks,
                caps=self.caps,
                asserted_domain=self.asserted_domain,
            )
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

    def receive(self, raw: bytes, source: Hop, local: str = HOST) -> None:
        """A datagram arrives."""
        try:
            index = scan(raw)
        except ParseError:
            index = b""
        turn = self._turn()
        self.proxy.receive(raw, index, udp(*source, local), turn)
        self._take(turn)

    def lose(self, sent: Sent, octets: int = 520, to: Hop | None = None) -> None:
        """The network says that it could not deliver what was sent, of which it quotes so many `octets`."""
        turn = self._turn()
        self.proxy.undeliverable(udp(*(to or sent.to)), sent.raw[:octets], turn)
        self._take(turn)

    def advance(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.now + seconds
        while (deadline := self.proxy.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            turn = self._turn()
            self.proxy.handle_timer(turn)
            self._take(turn)
        self.now = end

    def resolve(self, lookup: Lookup, hop: Hop | None) -> None:
        """The answer to a look-up of a name arrives."""
        turn = self._turn()
        self.proxy.resolved(lookup, hop, turn)
        self._take(turn)

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
        self.proxy = self._make_proxy()
        self.proxy.counters = counters
        turn = self._turn()
        self.units = UnitLog(self.log)
        self.units.take_over(self.proxy.env, turn)
        return [Sent(to.hop, raw) for to, raw, _ in turn.responses]

    def _turn(self) -> ProxyTurn:
        return ProxyTurn(self.now, at=EPOCH + self.now)

    def _take(self, turn: ProxyTurn) -> None:
        self.requests += (Sent(to.hop, raw) for to, raw in turn.requests)
        self.responses += (Sent(to.hop, raw) for to, raw, _ in turn.responses)
        self.events += turn.events
        self.lookups += turn.lookups
        self.units.save(turn.touched, self.now)
        if self.fragile:
            self.crash()


def request(
    method: str,
    uri: str,
    *,
    branch: str = "z9hG4bKa1",
    source: Hop = LUKAS,
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
    head = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {source[0]}:{source[1]};branch={branch};rport",
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
    return "\r\n".join(head).encode() + b"\r\n\r\n"
