"""The proxy core: a transaction-stateful proxy without sockets or clock (RFC 3261 §16).

Datagrams, timers and resolved names go in; what is to be done comes out in a `ProxyTurn`.
"""

from collections import Counter
from functools import partial

from switchboard.core.authorization import Challenge
from switchboard.core.branch import Branch
from switchboard.core.client_transaction import ClientTransaction
from switchboard.core.commands import Lookup, ProxyTurn, Reader
from switchboard.core.dialog_routing import follow
from switchboard.core.environment import Environment
from switchboard.core.forwarding import LARGEST_SENT, Plan, compose, literal_hop, plan
from switchboard.core.limits import check_passed, send_away
from switchboard.core.preprocess import Routing, preprocess
from switchboard.core.refusal import Refusal, is_ack_of_such
from switchboard.core.request import Received
from switchboard.core.response_context import ResponseContext
from switchboard.core.server_transaction import (
    InviteServerTransaction,
    NonInviteServerTransaction,
    ServerTransaction,
)
from switchboard.core.targets import OwnAnswer, RelayRefusal
from switchboard.sip.dispatch import client_key, parse_quoted, server_key
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import Flow
from switchboard.sip.message import Message, parse_message
from switchboard.sip.respond import Hop, build_response, warning_of
from switchboard.sip.splice import top_via_cut

_NOBODY = Reader("", "")


class Proxy:
    """One router's share of the calls. `counters` tells what was dropped, by cause."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.counters: Counter[str] = Counter()

    def receive(self, raw: bytes, index: bytes, source: Flow, turn: ProxyTurn) -> None:
        """Take a datagram; `source.local` is where it arrived. An empty `index`: it could not be scanned."""
        try:
            if not index:
                self._reject(raw, _error_of(raw), source, turn)
                return
            message = Message(raw, index)
            if message.status:
                self._receive_response(message, turn)
            else:
                self._receive_request(Received(message, source, self.env.policy.own), turn)
        except ParseError as error:
            self._reject(raw, error, source, turn)

    def next_deadline(self) -> float | None:
        """Return when `handle_timer` is due (monotonic s)."""
        return self.env.layer.next_deadline()

    def handle_timer(self, turn: ProxyTurn) -> None:
        """Let every timer fire whose time has come."""
        for fired in self.env.layer.handle_timer(turn):
            if isinstance(fired, ClientTransaction):
                if isinstance(fired.user, Branch):
                    _context(fired.user).time_out(fired.user, turn)
            elif isinstance(fired[0], Branch):
                _context(fired[0]).fire(fired[0], fired[1], turn)
        turn.events += self.env.unconfirmed.take_overdue(turn.now, turn.at)

    def resolved(self, lookup: Lookup, hop: Hop | None, turn: ProxyTurn) -> None:
        """Take the answer to a `Lookup`: None if the name leads nowhere."""
        for then in self.env.waiting.pop(lookup, ()):
            then(hop, turn)

    def undeliverable(self, flow: Flow, sent: bytes, turn: ProxyTurn) -> None:
        """The network says that it could not deliver what begins like `sent` (untrusted; §16.9, §18.4).

        Who made that up had to know the branch of a request that nobody has answered yet, and where it went.
        """
        quoted = parse_quoted(sent)
        layer = self.env.layer
        client = layer.fail(client_key(quoted.branch, quoted.method), flow, turn) if quoted else None
        if client is None:
            self.counters["undeliverable_ignored"] += 1
            return
        self.counters["undeliverable"] += 1
        if isinstance(client.user, Branch):
            _context(client.user).fail_to_deliver(client.user, turn)

    def _reject(self, raw: bytes, error: ParseError, source: Flow, turn: ProxyTurn) -> None:
        """Answer a request that cannot be read, if its sender can be told (§16.3 step 1)."""
        self.counters[f"malformed_{error.header.lower() or 'message'}"] += 1
        rejected = self.env.answers.reject(raw, error, source.hop, turn.at)
        if rejected:
            response, hop = rejected
            turn.send_response(source.towards(hop), response, _NOBODY)

    def _receive_response(self, response: Message, turn: ProxyTurn) -> None:
        if response.method != "CANCEL":
            top_via_cut(response)  # before its transaction takes it: what cannot be passed on never came
        client = self.env.layer.receive_response(response, turn)
        if client is None:
            self.counters["responses_absorbed"] += 1
        elif isinstance(client.user, Branch):
            _context(client.user).receive(client.user, response, turn)

    def _receive_request(self, received: Received, turn: ProxyTurn) -> None:
        if received.method == "ACK":
            self._receive_ack(received, turn)
            return
        known = self.env.layer.find_server(received.key)
        if known:
            known.repeat(turn)
            return
        if self._sends_away(received, turn):
            return
        server = self.env.layer.open_server(received.key, received.reply_to, received.reader)
        if received.method == "CANCEL":
            self._receive_cancel(received, server, turn)
        else:
            self._process(received, server, turn)

    def _sends_away(self, received: Received, turn: ProxyTurn) -> bool:
        """Whether a new request is more than we take on; its sender is told."""
        caps = self.env.caps
        cause = caps.cause(received, self.env.layer.server_count, turn) if caps else ""
        if cause:
            self.counters[f"sent_away_{cause}"] += 1
            send_away(received, self.env.answers, turn)
        return bool(cause)

    def _process(self, received: Received, server: ServerTransaction, turn: ProxyTurn) -> None:
        """Validate, route and forward a new request; answer it if it goes no further (§16.3-6)."""
        try:
            check_passed(received)
            routing = preprocess(received, self.env.policy.own)
            follow(self.env.policy, received, routing, turn.at)
            if self.env.admission is not None:
                self.env.admission.admit(received, routing, turn.at)
            self._note_invite(received, turn)
            targets = self.env.policy.select(received, routing, turn.at)
        except (Challenge, OwnAnswer) as answer:
            self.env.layer.withdraw(server)
            self._answer_without_state(received, answer, turn)
        except ParseError as error:
            self.counters[f"malformed_{error.header.lower() or 'message'}"] += 1
            warning = [("Warning", warning_of(error))]
            self._refuse(received, server, Refusal(error.status, error.reason, warning), turn)
        except RelayRefusal as refusal:
            self.env.policy.note_relay(received, routing)
            self._refuse(received, server, refusal, turn)
        except Refusal as refusal:
            self._refuse(received, server, refusal, turn)
        else:
            self._promise(received, server, turn)
            server.user = context = ResponseContext(self.env, received, server, routing)
            context.start(targets, turn)

    def _refuse(
        self, received: Received, server: ServerTransaction, refusal: Refusal, turn: ProxyTurn
    ) -> None:
        self.counters[f"answered_{refusal.status}"] += 1
        self._answer(received, server, refusal, turn)
        if received.begins_call:
            turn.events.append(received.event("failed", turn.at, refusal.status, "switchboard"))

    def _promise(self, received: Received, server: ServerTransaction, turn: ProxyTurn) -> None:
        """Send the 100 of an INVITE at once (§16.2); keep the others' ready (RFC 4320 §4.1)."""
        trying = build_response(received.message, 100, "", "", (), received.completed_via)
        if isinstance(server, NonInviteServerTransaction):
            server.expect(trying, turn)
        else:
            server.respond(100, trying, turn)

    def _receive_cancel(self, received: Received, server: ServerTransaction, turn: ProxyTurn) -> None:
        """A CANCEL is answered here, whatever becomes of the INVITE (§9.2, §16.10)."""
        invite = self.env.layer.find_server(server_key(received.message, received.via, "INVITE"))
        context = invite.user if invite and isinstance(invite.user, ResponseContext) else None
        if context and not context.may_be_cancelled_by(received):
            self.counters["cancels_of_others"] += 1
            self.env.layer.withdraw(server)  # the caller's own CANCEL is to be no repetition of this one
            self._answer_without_state(received, Refusal(481), turn)
            return
        self._answer(received, server, Refusal(481 if invite is None else 200), turn)
        if invite and context:
            reasons = [reason.encode("utf-8", "surrogateescape") for reason in received.message.all("reason")]
            context.cancel(reasons, turn)

    def _receive_ack(self, received: Received, turn: ProxyTurn) -> None:
        """An ACK ends here if it is for a non-2xx; the ACK for a 2xx is passed on without state (§16.11)."""
        server = self.env.layer.find_server(received.key)
        if isinstance(server, InviteServerTransaction) and server.acknowledge(turn):
            return
        if is_ack_of_such(received.message):
            self.counters["acks_ended"] += 1
            return
        answered_at = self.env.unconfirmed.confirm(received.message)
        if self.env.admission is not None and received.message.to_tag == self._stateless_tag(received):
            return  # for what was answered without state
        try:
            routing = preprocess(received, self.env.policy.own)
            follow(self.env.policy, received, routing, turn.at, answered_at)
            if self.env.admission is not None:
                self.env.admission.admit_ack(received, routing, turn.at)
            found = plan(routing, self.env.policy.select(received, routing, turn.at)[0])
        except (Refusal, ParseError):
            self.counters["stray_acks"] += 1
        else:
            self._pass_on(received, found, routing, turn)

    def _pass_on(self, received: Received, found: Plan, routing: Routing, turn: ProxyTurn) -> None:
        hop = literal_hop(found.hop)
        if hop is not None:
            self._send_ack(received, found, routing, hop, turn)
        else:
            self.env.ask(found.hop, partial(self._send_ack, received, found, routing), turn)

    def _send_ack(
        self, received: Received, found: Plan, routing: Routing, hop: Hop | None, turn: ProxyTurn
    ) -> None:
        flow = self.env.flow_for(found, hop)
        if flow is None or self.env.policy.own.is_listening_at(flow.host, flow.port):
            self.counters["unreachable_acks"] += 1
            return
        branch = self.env.branches.stateless(received.via, received.routing_hash)
        raw = compose(received, found, routing, branch, flow, self.env.port, self.env.policy)
        if len(raw) > LARGEST_SENT:
            self.counters["oversized_acks"] += 1
            return
        turn.send_request(flow, raw)

    def _answer_without_state(self, received: Received, answer: Refusal, turn: ProxyTurn) -> None:
        """Nothing is remembered, nothing repeated: the sender asks again if it heard nothing (§8.2.7)."""
        self.counters[f"answered_{answer.status}"] += 1
        made = self.env.answers.make(
            received.message,
            received.source.hop,
            answer.status,
            answer.reason,
            answer.headers,
            answer.optional,
            to_tag=self._stateless_tag(received),
            at=turn.at,
            is_known=partial(self._is_registered_at, received, turn.at),
        )
        if made:
            raw, hop = made
            turn.send_response(received.source.towards(hop), raw, received.reader)

    def _is_registered_at(self, received: Received, at: float) -> bool:
        """Whether whom From names is registered where answers to the request go."""
        locations, caller = self.env.policy.locations, received.caller
        return bool(caller) and locations.registered_at(caller, *received.reply_to.hop, at)

    def _stateless_tag(self, received: Received) -> str:
        """A To tag that the retransmissions of a request get again, and its ACK bears."""
        message, via = received.message, received.via
        return self.env.policy.seals.tag(message.call_id, message.from_tag, message.cseq[0], via.branch)

    def _answer(
        self, received: Received, server: ServerTransaction, answer: Refusal, turn: ProxyTurn
    ) -> None:
        raw = build_response(
            received.message,
            answer.status,
            answer.reason,
            self.env.make_tag(),
            answer.headers,
            received.completed_via,
        )
        server.respond(answer.status, raw, turn)

    def _note_invite(self, received: Received, turn: ProxyTurn) -> None:
        if received.begins_call:
            turn.events.append(received.event("invite", turn.at, *received.parties))


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
