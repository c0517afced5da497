"""The proxy core: a transaction-stateful proxy without sockets or clock (RFC 3261 §16).

Datagrams, timers and resolved names go in; what is to be done comes out in a `ProxyEffects`.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial

from switchboard.core.authorization import Challenge
from switchboard.core.branch import Branch
from switchboard.core.client_transaction import ClientTransaction
from switchboard.core.commands import Dialled, Lookup, NextHop, ProxyEffects, Reader
from switchboard.core.delegation import Delegation
from switchboard.core.dialog_end import end_late, end_unheard
from switchboard.core.dialog_routing import follow
from switchboard.core.environment import Environment
from switchboard.core.forwarding import LARGEST_SENT, Plan, compose, plan
from switchboard.core.hanging_up import cancel_invite, hang_up, note_end
from switchboard.core.keeping import delegated
from switchboard.core.large_requests import LargeRequests
from switchboard.core.limits import check_passed, send_away
from switchboard.core.own_requests import OwnRequest, OwnRequests, is_of_our_own
from switchboard.core.preprocess import Routing, preprocess
from switchboard.core.qualifying import Qualifier
from switchboard.core.refusal import Refusal, is_ack_of_such
from switchboard.core.relays import Leaving
from switchboard.core.request import IncomingRequest, address_of_record
from switchboard.core.response_context import ResponseContext
from switchboard.core.server_transaction import (
    InviteServerTransaction,
    NonInviteServerTransaction,
    ServerTransaction,
)
from switchboard.core.star_codes import StarDial
from switchboard.core.targets import PROBE_CALL_ID, OwnAnswer, RelayRefusal
from switchboard.core.trunk_sources import TrunkSources
from switchboard.sip.dispatch import client_key, parse_quoted, server_key
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import Flow, is_reliable
from switchboard.sip.message import Message, parse_message
from switchboard.sip.respond import build_response, warning_of
from switchboard.sip.splice import top_via_cut, with_body

_NOBODY = Reader("", "")


class Proxy:
    """One router's share of the calls. `counters` tells what was dropped, by cause."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        env.large = LargeRequests(env, env.tcp_above)
        env.end_late = partial(end_late, env)
        if env.relays is not None:
            env.relays.end = partial(end_unheard, env)
        self.own_requests = OwnRequests(env)
        self.counters: Counter[str] = Counter()
        self.qualifier: Qualifier | None = None
        trunks = env.policy.trunks
        self._sources = TrunkSources(env, trunks) if trunks is not None else None

    def receive(self, raw: bytes, index: bytes, source: Flow, effects: ProxyEffects) -> None:
        """Take a datagram; `source.local` is where it arrived. An empty `index`: it could not be scanned."""
        try:
            if not index:
                self._reject(raw, _error_of(raw), source, effects)
                return
            message = Message(raw, index)
            if message.status:
                self._receive_response(message, effects)
            else:
                self._receive_request(IncomingRequest(message, source, self.env.policy.own), effects)
        except ParseError as error:
            self._reject(raw, error, source, effects)

    def begin(self, effects: ProxyEffects) -> None:
        """The process has started: find out where providers are, before they call."""
        if self._sources is not None:
            self._sources.handle_timer(effects)

    def next_deadline(self) -> float | None:
        """Return when `handle_timer` is due (monotonic s)."""
        due = self.env.layer.next_deadline()
        for asker in (self.qualifier, self._sources):
            if asker is not None:
                due = asker.due if due is None else min(due, asker.due)
        return due

    def handle_timer(self, effects: ProxyEffects) -> None:
        """Let every timer fire whose time has come."""
        for fired in self.env.layer.handle_timer(effects):
            if isinstance(fired, ClientTransaction):
                self._fail(fired, 408, effects)
            elif isinstance(fired[0], Branch):
                _context(fired[0]).fire(fired[0], fired[1], effects)
            elif isinstance(fired[0], OwnRequest):
                fired[0].fire(fired[1], effects)
        for asker in (self.qualifier, self._sources):
            if asker is not None:
                asker.handle_timer(effects)
        effects.events += self.env.unconfirmed.take_overdue(effects.now, effects.at)

    def resolved(self, lookup: Lookup, hops: Sequence[NextHop], effects: ProxyEffects) -> None:
        """Take the answer to a `Lookup`: none if the name leads nowhere."""
        for then in self.env.waiting.pop(lookup, ()):
            then(hops, effects)

    def undeliverable(self, flow: Flow, sent: bytes, effects: ProxyEffects) -> None:
        """The network says that it could not deliver what begins like `sent` (untrusted; §16.9, §18.4).

        A forger had to know the branch of a request that was not answered yet, and its destination.
        """
        quoted = parse_quoted(sent)
        layer = self.env.layer
        client = layer.fail(client_key(quoted.branch, quoted.method), flow, effects) if quoted else None
        if client is None:
            self.counters["undeliverable_ignored"] += 1
            return
        self.counters["undeliverable"] += 1
        self._fail(client, 503, effects)

    def _fail(self, client: ClientTransaction, status: int, effects: ProxyEffects) -> None:
        """A client transaction has ended without a response: in time (408), or since nobody is there (503)."""
        user = client.user
        if isinstance(user, OwnRequest):
            user.fail(status, effects)
        elif not isinstance(user, Branch):
            note_end(client, status, effects)
            if client.key[1] == "CANCEL" and status == 503:
                self._lose_cancel(client, effects)
        elif status == 408:
            _context(user).time_out(user, effects)
        else:
            _context(user).fail_to_deliver(user, effects)

    def _lose_cancel(self, client: ClientTransaction, effects: ProxyEffects) -> None:
        """A connection is gone for good, or until the phone makes another one: no CANCEL is repeated."""
        invite = self.env.layer.clients.get(client_key(client.key[0], "INVITE"))
        branch = invite.user if invite is not None else None
        if isinstance(branch, Branch) and is_reliable(client.flow.transport):
            _context(branch).lose_cancel(branch, client.flow, effects)

    def end_call(self, request: Message, effects: ProxyEffects) -> str:
        """End a call for the operator, by a BYE or CANCEL (`hanging_up`); return why not, "" if it is on its way."""
        self.counters["ended_by_operator"] += 1
        if request.method == "CANCEL":
            return cancel_invite(self.env, request, effects)
        return hang_up(self.env, request, effects, counts=True)

    def admit(self, incoming: IncomingRequest, effects: ProxyEffects) -> str | None:
        """Return the sender of a request outside a dialog that is valid otherwise; None if it is refused (§22.3)."""
        assert self.env.admission is not None
        routing = preprocess(incoming, self.env.policy.own)
        try:
            self.env.admission.admit(incoming, routing, effects.at)
        except Challenge as answer:
            self._answer_without_state(incoming, answer, effects)
            return None
        return routing.user

    def _reject(self, raw: bytes, error: ParseError, source: Flow, effects: ProxyEffects) -> None:
        """Answer a request that cannot be read, if its sender can be told (§16.3 step 1)."""
        self.counters[f"malformed_{error.header.lower() or 'message'}"] += 1
        rejected = self.env.answers.reject(raw, error, source.hop, effects.at)
        if rejected:
            response, hop = rejected
            effects.send_response(source.towards(hop), response, _NOBODY)

    def _receive_response(self, response: Message, effects: ProxyEffects) -> None:
        if response.method != "CANCEL" and not is_of_our_own(response):
            top_via_cut(response)  # before its transaction takes it: what cannot be passed on never came
        client = self.env.layer.receive_response(response, effects)
        if client is None:
            self.counters["responses_absorbed"] += 1
        elif isinstance(client.user, Branch):
            _context(client.user).receive(client.user, response, effects)
        elif isinstance(client.user, OwnRequest):
            client.user.receive(response, effects)
        elif response.status >= 200:
            note_end(client, response.status, effects)

    def _receive_request(self, incoming: IncomingRequest, effects: ProxyEffects) -> None:
        if incoming.method == "ACK":
            self._receive_ack(incoming, effects)
            return
        known = self.env.layer.find_server(incoming.key)
        if known:
            if not (isinstance(known.user, ResponseContext) and known.user.repeat(effects)):
                known.repeat(effects)
            return
        if self._sends_away(incoming, effects):
            return
        server = self.env.layer.open_server(incoming.key, incoming.reply_to, incoming.reader)
        if incoming.method == "CANCEL":
            self._receive_cancel(incoming, server, effects)
        else:
            self._process(incoming, server, effects)

    def _sends_away(self, incoming: IncomingRequest, effects: ProxyEffects) -> bool:
        """Whether a new request is more than we take on; its sender is told."""
        caps = self.env.caps
        cause = caps.cause(incoming, self.env.layer.server_count, effects) if caps else ""
        if cause:
            self.counters[f"sent_away_{cause}"] += 1
            send_away(incoming, self.env.answers, effects)
        return bool(cause)

    def _process(self, incoming: IncomingRequest, server: ServerTransaction, effects: ProxyEffects) -> None:
        """Validate, route and forward a new request; answer it if it goes no further (§16.3-6)."""
        try:
            check_passed(incoming)
            routing = preprocess(incoming, self.env.policy.own)
            follow(self.env.policy, incoming, routing, effects.at)
            trunks = self.env.policy.trunks
            is_provider = trunks is not None and trunks.admit(incoming, routing)
            if self.env.admission is not None and not is_provider:
                self.env.admission.admit(incoming, routing, effects.at)
            if self.env.star_codes is not None and not is_provider:
                self.env.star_codes.check(incoming, routing, self.env.policy, effects.at)
            self._note_invite(incoming, effects, is_provider)
            targets = self.env.policy.select(incoming, routing, effects.at)
        except (Challenge, OwnAnswer) as answer:
            self.env.layer.withdraw(server)
            if isinstance(answer, OwnAnswer) and self._is_probe(incoming):
                self.counters["probes"] += 1
            self._answer_without_state(incoming, answer, effects)
        except Delegation as delegation:
            self.env.layer.withdraw(server)
            self._delegate(incoming, routing, delegation, effects)
        except StarDial as dialled:
            self.env.layer.withdraw(server)
            self.counters["star_codes"] += 1
            scanned, raw = incoming.message.index.tobytes(), incoming.message.raw
            effects.dialled.append(Dialled(incoming.source, scanned, raw, dialled.user, dialled.changes))
        except ParseError as error:
            self.counters[f"malformed_{error.header.lower() or 'message'}"] += 1
            warning = [("Warning", warning_of(error))]
            self._refuse(incoming, server, Refusal(error.status, error.reason, warning), effects)
        except RelayRefusal as refusal:
            self.env.policy.note_relay(incoming, routing)
            self._refuse(incoming, server, refusal, effects)
        except Refusal as refusal:
            self._refuse(incoming, server, refusal, effects)
        else:
            self._promise(incoming, server, effects)
            server.user = context = ResponseContext(self.env, incoming, server, routing)
            context.start(targets, effects)

    def _delegate(
        self, incoming: IncomingRequest, routing: Routing, delegation: Delegation, effects: ProxyEffects
    ) -> None:
        """Have the presence worker answer."""
        self.counters["delegated"] += 1
        found = delegated(self.env, incoming, routing, delegation.user, delegation.status)
        effects.delegated.append(found)

    def _refuse(
        self, incoming: IncomingRequest, server: ServerTransaction, refusal: Refusal, effects: ProxyEffects
    ) -> None:
        self.counters[f"answered_{refusal.status}"] += 1
        self._answer(incoming, server, refusal, effects)
        if incoming.begins_call:
            effects.events.append(incoming.event("failed", effects.at, refusal.status, "switchboard"))

    def _promise(self, incoming: IncomingRequest, server: ServerTransaction, effects: ProxyEffects) -> None:
        """Send the 100 of an INVITE at once (§16.2); keep the others' ready (RFC 4320 §4.1)."""
        trying = build_response(incoming.message, 100, "", "", (), incoming.completed_via)
        if isinstance(server, NonInviteServerTransaction):
            server.expect(trying, effects)
        else:
            server.respond(100, trying, effects)

    def _receive_cancel(
        self, incoming: IncomingRequest, server: ServerTransaction, effects: ProxyEffects
    ) -> None:
        """A CANCEL is answered here, whatever becomes of the INVITE (§9.2, §16.10)."""
        invite = self.env.layer.find_server(server_key(incoming.message, incoming.via, "INVITE"))
        context = invite.user if invite and isinstance(invite.user, ResponseContext) else None
        if context and not context.may_be_cancelled_by(incoming):
            self.counters["cancels_of_others"] += 1
            self.env.layer.withdraw(server)  # the caller's own CANCEL is to be no repetition of this one
            self._answer_without_state(incoming, Refusal(481), effects)
            return
        self._answer(incoming, server, Refusal(481 if invite is None else 200), effects)
        if invite and context:
            reasons = [reason.encode("utf-8", "surrogateescape") for reason in incoming.message.all("reason")]
            context.cancel(reasons, effects)

    def _receive_ack(self, incoming: IncomingRequest, effects: ProxyEffects) -> None:
        """An ACK ends here if it is for a non-2xx; the ACK for a 2xx is passed on without state (§16.11)."""
        server = self.env.layer.find_server(incoming.key)
        if isinstance(server, InviteServerTransaction) and server.acknowledge(effects):
            return
        if is_ack_of_such(incoming.message):
            self.counters["acks_ended"] += 1
            return
        answered_at = self.env.unconfirmed.confirm(incoming.message)
        if self.env.admission is not None and incoming.message.to_tag == self._stateless_tag(incoming):
            return  # for what was answered without state
        try:
            routing = preprocess(incoming, self.env.policy.own)
            follow(self.env.policy, incoming, routing, effects.at, answered_at)
            if self.env.admission is not None:
                self.env.admission.admit_ack(incoming, routing, effects.at)
            policy = self.env.policy
            found = plan(routing, policy.select(incoming, routing, effects.at)[0], policy.own)
        except (Refusal, ParseError):
            self.counters["stray_acks"] += 1
        else:
            send = partial(self._send_ack, incoming, found, routing)
            asker = routing.user or incoming.source.host
            self.env.with_flow(found, asker, send, effects)

    def _send_ack(
        self,
        incoming: IncomingRequest,
        found: Plan,
        routing: Routing,
        flow: Flow | None,
        effects: ProxyEffects,
    ) -> None:
        if flow is None or self.env.policy.own.is_listening_at(flow.host, flow.port):
            self.counters["unreachable_acks"] += 1
            return
        send = partial(self._pass_ack, incoming, found, routing, flow)
        if self.env.relays is None:
            send(Leaving(), effects)
        else:
            self.env.relays.confirm(incoming.message, routing, flow, send, effects)

    def _pass_ack(
        self,
        incoming: IncomingRequest,
        found: Plan,
        routing: Routing,
        flow: Flow,
        leaving: Leaving,
        effects: ProxyEffects,
    ) -> None:
        branch = self.env.branches.stateless(incoming.via, incoming.routing_hash)
        raw = compose(incoming, found, routing, branch, flow, self.env.policy)
        raw = with_body(parse_message(raw), leaving.body) if leaving.body else raw
        if len(raw) > LARGEST_SENT:
            self.counters["oversized_acks"] += 1
            return
        effects.send_request(flow, raw)

    def _answer_without_state(
        self, incoming: IncomingRequest, answer: Refusal, effects: ProxyEffects
    ) -> None:
        """Nothing is remembered, nothing repeated: the sender asks again if it heard nothing (§8.2.7)."""
        self.counters[f"answered_{answer.status}"] += 1
        made = self.env.answers.make(
            incoming.message,
            incoming.source.hop,
            answer.status,
            answer.reason,
            answer.headers,
            answer.optional,
            to_tag=self._stateless_tag(incoming),
            at=effects.at,
            is_known=partial(self._is_registered_at, incoming, effects.at),
        )
        if made:
            raw, hop = made
            effects.send_response(incoming.source.towards(hop), raw, incoming.reader)

    def _is_registered_at(self, incoming: IncomingRequest, at: float) -> bool:
        """Whether whom From names is registered where answers to the request go."""
        locations, caller = self.env.policy.locations, incoming.caller
        return bool(caller) and locations.registered_at(caller, *incoming.reply_to.hop, at)

    def _is_probe(self, incoming: IncomingRequest) -> bool:
        """Whether the switchboard itself asks, from an address of its own, whether it is there."""
        is_ours = self.env.policy.own.is_host(incoming.source.host)
        return is_ours and incoming.message.call_id.startswith(PROBE_CALL_ID)

    def _stateless_tag(self, incoming: IncomingRequest) -> str:
        """A To tag that the retransmissions of a request get again, and its ACK bears."""
        message, via = incoming.message, incoming.via
        return self.env.policy.seals.tag(message.call_id, message.from_tag, message.cseq[0], via.branch)

    def _answer(
        self, incoming: IncomingRequest, server: ServerTransaction, answer: Refusal, effects: ProxyEffects
    ) -> None:
        raw = build_response(
            incoming.message,
            answer.status,
            answer.reason,
            self.env.make_tag(),
            answer.headers,
            incoming.completed_via,
        )
        server.respond(answer.status, raw, effects)

    def _note_invite(self, incoming: IncomingRequest, effects: ProxyEffects, is_provider: bool) -> None:
        """A provider calls our Contact; people know the number in To."""
        if incoming.begins_call:
            caller, callee = incoming.parties
            callee = address_of_record(incoming.message.to_uri) if is_provider else callee
            effects.events.append(incoming.event("invite", effects.at, caller, callee))


def _error_of(raw: bytes) -> ParseError:
    """What keeps `raw` from being scanned."""
    try:
        parse_message(raw)
    except ParseError as error:
        return error
    return ParseError("Bad Request")


def _context(branch: Branch) -> ResponseContext:
    assert isinstance(branch.context, ResponseContext)
    return branch.context
