"""Requests of the switchboard's own: REGISTER to a provider, NOTIFY, a MESSAGE that was kept (RFC 3261 §8.1, §17.1.2).

Theory. A worker that has something to say to a phone or a server writes the request, without Via, and asks a router to
send it. The router finds the next hop (RFC 3263), sends over the connection that is there, repeats over UDP, tries the
next hop where one is closed, overloaded (503) or silent, and returns the one final response, or a status of its own:
408, 503, 430 (a connection is gone) or 480 (a binding is gone). Nothing of it is saved, since the worker that hears
nothing for 64 · T1 asks again. Such a request has our Via only, so its response ends here; its branch says so.

Where HERE stands in the Contact, the address is written by which the peer sees us: the worker does not know it. Other
fields may be those of strangers, and stay as they are.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from switchboard.bounded import Generations
from switchboard.core.client_transaction import ClientTransaction
from switchboard.core.commands import NextHop, ProxyEffects, Question
from switchboard.core.environment import Environment
from switchboard.core.forwarding import LARGEST_SENT, Plan, literal_hop, plan, via_of
from switchboard.core.gruu import is_gruu
from switchboard.core.next_hops import SILENT_T1
from switchboard.core.own_forks import ANYWHERE, Fork, Owner, copies
from switchboard.core.own_forks import Wanted as Wanted
from switchboard.core.place import address_named
from switchboard.core.preprocess import DEFAULT_MAX_FORWARDS, Routing, check_syntax
from switchboard.core.target import Target, along, target_of
from switchboard.core.timers import Waiting
from switchboard.sip.dispatch import BRANCH_PREFIX
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import UDP, Flow, FlowError, bracketed, format_hop
from switchboard.sip.headers import Header
from switchboard.sip.message import Message, parse_message
from switchboard.sip.uri import parse_uri

HERE: Final = ANYWHERE.encode()
MOST: Final = 20_000
"""Requests that wait for their final response."""
MOST_TAKEN: Final = 10_000
"""Requests to all of a user's phones that are known to have been taken."""
PROBE_END: Final = "qualify"
BRANCH_END: Final = "own"
"""So end the branches of these requests, and those of OPTIONS that ask whether somebody is there (`probing.py`)."""
_ENDS: Final = (BRANCH_END, PROBE_END)
_PATIENCE: Final = "P"
_VIA: Final = f"SIP/2.0/UDP here.invalid;branch={BRANCH_PREFIX}".encode()
_METHODS_OF_CALLS: Final = ("INVITE", "ACK", "CANCEL")


class Answer(NamedTuple):
    """The final response, empty if `status` is our own, and over which flow (packed) the request had gone."""

    token: bytes
    status: int
    raw: bytes = b""
    flow: bytes = b""


class OwnRequest(Waiting):
    """The user of a client transaction that stands alone, and that nobody saves.

    Whoever has ended lets go of the transaction, which still knows its user: Python's collector of circles looks at
    what is older than a few seconds about once a day (`workers/run.py`).
    """

    __slots__ = ()

    def receive(self, response: Message, effects: ProxyEffects) -> None:
        """A response came."""
        raise NotImplementedError

    def fail(self, status: int, effects: ProxyEffects) -> None:
        """There is none: nobody answered in time (408), or nobody is there (503)."""
        raise NotImplementedError

    def fire(self, letter: str, effects: ProxyEffects) -> None:
        """A timer of its own."""
        raise NotImplementedError


def is_of_our_own(response: Message) -> bool:
    """Whether a response answers a request of this kind, which has our Via only."""
    return (response.via.branch or "").endswith(_ENDS)


class OwnRequests:
    """Those of one router. `waiting`: how many have no final response yet."""

    def __init__(self, env: Environment) -> None:
        self.waiting = 0
        self.counters: Counter[str] = Counter()
        self._answers: dict[str, list[Answer]] = {}
        self._env = env
        self._forks: dict[tuple[str, bytes], Fork] = {}
        self._taken: Generations[tuple[str, bytes], int] = Generations(MOST_TAKEN)

    def send(self, wanted: Wanted, effects: ProxyEffects) -> None:
        """Send it; what cannot be sent is answered at once."""
        try:
            if self.waiting >= MOST:
                raise ParseError("Too Many Requests", status=503)
            message = parse_message(_with_via(wanted.raw, _VIA))
            check_syntax(message)
            if wanted.user and not wanted.flow and parse_uri(message.uri).host == ANYWHERE:
                self._send_to_all(message, wanted, effects)
                return
            found = self._plan(message, wanted, effects.at)
        except (ParseError, FlowError) as error:
            self.counters["own_requests_refused"] += 1
            self._put(wanted, error.status if isinstance(error, ParseError) else 430)
            return
        self.counters["own_requests"] += 1
        self.waiting += 1
        _Sending(self, self._env, wanted, message.method, found).start(effects)

    def take_answers(self) -> dict[str, list[Answer]]:
        """Return and forget what each worker is to hear."""
        answers, self._answers = self._answers, {}
        return answers

    def end(self, wanted: Wanted, status: int, raw: bytes = b"", flow: bytes = b"") -> None:
        """One of them has its final response."""
        self.waiting -= 1
        if self._forks.pop((wanted.worker, wanted.token), None) and 200 <= status < 300:
            self._taken.put((wanted.worker, wanted.token), status)
        self._put(wanted, status, raw, flow)

    def _send_to_all(self, message: Message, wanted: Wanted, effects: ProxyEffects) -> None:
        """To all contacts of the user, unless that is under way, or one of them has taken it. ParseError."""
        key = wanted.worker, wanted.token
        if key in self._forks:
            return
        if taken := self._taken.get(key):
            self._put(wanted, taken)
            return
        policy = self._env.policy
        targets = policy.bindings_of(wanted.user, effects.at)
        if not targets:
            raise ParseError("Not Registered", status=480 if policy.locations.is_loaded else 503)
        found = list(copies(wanted, targets, policy.own))
        self.counters["own_requests"] += 1
        self.waiting += 1
        fork = self._forks[key] = Fork(self, wanted, len(found))
        for copy, where in found:
            _Sending(fork, self._env, copy, message.method, where).start(effects)

    def stats(self) -> dict[str, float]:
        """Requests that were sent, that could not be, and that wait."""
        return {**self.counters, "own_requests_waiting": self.waiting}

    def _put(self, wanted: Wanted, status: int, raw: bytes = b"", flow: bytes = b"") -> None:
        self._answers.setdefault(wanted.worker, []).append(Answer(wanted.token, status, raw, flow))

    def _plan(self, request: Message, wanted: Wanted, at: float) -> Plan:
        """Where it goes. ParseError, FlowError."""
        if request.status or request.method in _METHODS_OF_CALLS:
            raise ParseError("Not Such A Request")
        target = self._target(request, wanted, at)
        routing = Routing(target.text, target.uri, request.values(Header.ROUTE), DEFAULT_MAX_FORWARDS)
        found = plan(routing, target, self._env.policy.own)
        if found.text != request.uri or list(found.routes) != routing.routes:
            raise ParseError("Strict Route, Or A Path To The Binding")
        return found

    def _target(self, request: Message, wanted: Wanted, at: float) -> Target:
        uri = parse_uri(request.uri)
        if wanted.flow:
            return along(request.uri, uri, Flow.unpack(wanted.flow))
        if not wanted.user:
            return Target(request.uri, uri)
        if is_gruu(uri):
            for lead in self._env.policy.leads_of(uri, at):
                place = lead.next_hop or format_hop(*address_named(lead.uri))
                return lead._replace(text=request.uri, uri=uri, next_hop=place)
        for bound in self._env.policy.locations.lookup(wanted.user, at):
            if bound.contact == request.uri and (target := target_of(bound, wanted.user)):
                return target
        raise ParseError("Not Registered There", status=480)


class _Sending(OwnRequest):
    """One of them that is under way."""

    __slots__ = ("_client", "_env", "_hops", "_method", "_owner", "_plan", "_wanted")

    def __init__(self, owner: Owner, env: Environment, wanted: Wanted, method: str, found: Plan) -> None:
        Waiting.__init__(self)
        self._client: ClientTransaction | None = None
        self._env = env
        self._hops: list[NextHop] = []
        self._method = method
        self._owner = owner
        self._plan = found
        self._wanted = wanted

    def start(self, effects: ProxyEffects) -> None:
        """Send it, or ask for the name to which it goes."""
        layer = self._env.layer
        layer.timers.arm(self, _PATIENCE, effects.now + layer.values.lifetime)
        hop = literal_hop(self._plan.hop)
        if hop is not None:
            self._send(self._env.flow_for(self._plan, hop), effects)
        else:
            asker = self._wanted.user or self._wanted.worker
            self._env.ask(Question(self._plan.hop, asker), self._send_resolved, effects)

    def receive(self, response: Message, effects: ProxyEffects) -> None:
        """A final response ends it, unless another hop may have time for it."""
        self.armed.pop("N", None)
        if response.status == 503 and self._hops:
            self._move(effects)
        elif response.status >= 200:
            self._end(response.status, response.raw)

    def fail(self, status: int, effects: ProxyEffects) -> None:
        """Nobody is there: it goes where else it may."""
        if status != 503 or self._client is None:
            self._end(status)
        elif self._hops:
            self._move(effects)
        else:
            tried = self._client.flow
            self._send(self._env.flow_after(self._plan, tried), effects)

    def fire(self, letter: str, effects: ProxyEffects) -> None:
        """N gives the hop up, the other one the request."""
        if self._client is not None:
            self._env.layer.abandon(self._client)
        if letter == "N":
            self._move(effects)
        else:
            self._end(408)

    def _move(self, effects: ProxyEffects) -> None:
        if self._client is not None:
            self._env.next_hops.set_aside(self._client.flow, effects.now)
        self._send_on(effects)

    def _send_resolved(self, hops: Sequence[NextHop], effects: ProxyEffects) -> None:
        if self.armed:
            self._hops = self._env.next_hops.in_order(hops, effects.now)
            self._send_on(effects)

    def _send_on(self, effects: ProxyEffects) -> None:
        self._send(self._env.next_flow(self._plan, self._hops), effects)

    def _send(self, flow: Flow | None, effects: ProxyEffects) -> None:
        env = self._env
        if flow is None:
            self._end(430 if self._plan.target.flows else 503)
            return
        if env.policy.own.is_listening_at(flow.host, flow.port):
            self._end(482)
            return
        branch = env.branches.next(BRANCH_END)
        raw = self._composed(flow, branch)
        if len(raw) > LARGEST_SENT:
            self._end(513)
            return
        self._client = env.layer.open_client(branch, self._method, flow, raw, self, effects)
        if self._hops:
            env.layer.timers.arm(self, "N", effects.now + SILENT_T1 * env.layer.values.t1)

    def _composed(self, flow: Flow, branch: str) -> bytes:
        """With our address, and our Via, which asks for the port that the peer sees (RFC 3581)."""
        own = self._env.policy.own
        head, blank, body = self._wanted.raw.partition(b"\r\n\r\n")
        here = f"{bracketed(flow.local)}:{own.port_of(flow.transport)}".encode()
        via = via_of(flow, branch, own)
        if flow.transport == UDP:
            via = via.replace(b";branch=", b";rport;branch=", 1)
        return _with_via(_with_contact(head, here), via) + blank + body

    def _end(self, status: int, raw: bytes = b"") -> None:
        self.armed.clear()
        client, self._client = self._client, None
        flow = client.flow.pack() if client is not None else b""
        self._owner.end(self._wanted, status, raw, flow)


def _with_contact(head: bytes, here: bytes) -> bytes:
    before, name, rest = head.partition(b"\r\nContact: ")
    contact, end, after = rest.partition(b"\r\n")
    return before + name + contact.replace(HERE, here) + end + after


def _with_via(raw: bytes, via: bytes) -> bytes:
    line, end, rest = raw.partition(b"\r\n")
    return line + end + b"Via: " + via + b"\r\n" + rest
