"""The branches of one request on their way to its targets (RFC 3261 §16.6): where each goes, and where it goes next.

Theory. A branch is made for each target. Its next hop may be a name, which is looked up; of the places to which a name
leads the next one is tried if one is dead (RFC 3263 §4.3). Of several flows of a phone the next one is tried if one is
gone (RFC 5626 §5.3). Where media is relayed, the request waits for that. What comes back is decided by
`response_context.py`.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final as Constant
from urllib.parse import quote

from switchboard.auth.proving import ANSWER_FIELDS
from switchboard.core.branch import Branch, Final
from switchboard.core.client_transaction import ClientTransaction
from switchboard.core.commands import NextHop, ProxyEffects, Question
from switchboard.core.environment import Environment
from switchboard.core.following import added_lines
from switchboard.core.forwarding import LARGEST_SENT, compose, literal_hop, plan
from switchboard.core.history_info import lines_that_came
from switchboard.core.preprocess import MAX_BREADTH, Routing
from switchboard.core.relaying import Relayed
from switchboard.core.relays import Leaving
from switchboard.core.request import IncomingRequest
from switchboard.core.server_transaction import ServerTransaction
from switchboard.core.stages import Stages
from switchboard.core.target import Target
from switchboard.core.trunks import Trunk
from switchboard.core.waiting_targets import WaitingTargets
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import Flow
from switchboard.sip.headers import Header
from switchboard.sip.message import Message, parse_message
from switchboard.sip.splice import with_body

SPIRAL_TARGETS: Constant = 3
"""Targets of a request that comes back to us; fewer if it has less breadth left."""


class Forks:
    """What leaves of one request. `_edition` grows with each request that leaves, seldom after the first."""

    __slots__ = (
        "_branches", "_cancelled", "_edition", "_env", "_received", "_relayed", "_routing", "_stages", "_unplanned",
        "_waiting", "server",
    )  # fmt: skip

    def __init__(
        self, env: Environment, incoming: IncomingRequest, server: ServerTransaction, routing: Routing
    ) -> None:
        self._env = env
        self._received = incoming
        self.server = server
        self._routing = routing
        self._relayed = Relayed(env.relays, incoming, routing, server) if env.relays is not None else None
        self._branches: list[Branch] = []
        self._waiting = WaitingTargets()
        self._stages = Stages(routing.stages) if routing.stages else None
        self._cancelled: bool | str = False  # the name of who did it, unless that is the caller
        self._unplanned: Final | None = None
        self._edition = 0

    def _settle(self, effects: ProxyEffects) -> None:
        """Something has ended: decide what comes next."""
        raise NotImplementedError

    def _watch(self, branch: Branch, effects: ProxyEffects) -> None:
        """The request of `branch` leaves: start its timers."""
        raise NotImplementedError

    def is_alive(self) -> bool:
        """Whether anything may still come of the forwarded requests."""
        if self._relayed is not None and self._relayed.holds:
            return True
        for branch in self._branches:  # noqa: SIM110
            if branch.is_alive:
                return True
        return False

    def clients(self) -> list[ClientTransaction]:
        """The client transactions of its branches."""
        return [branch.client for branch in self._branches if branch.client is not None]

    def lingering(self) -> list[ClientTransaction] | None:
        """The client transactions that are there yet; None while a final response is missing, or an engine is asked."""
        if self._relayed is not None and self._relayed.holds:
            return None
        clients = []
        for branch in self._branches:
            if branch.final is None or branch.armed:
                return None
            if branch.client is not None and not branch.client.is_over:
                clients.append(branch.client)
        return clients

    def dissolve(self) -> None:
        """Let go of the branches, which refer back to here; for a context that is alive no more."""
        for branch in self._branches:
            branch.client = None
        self._branches.clear()

    def fail_to_deliver(self, branch: Branch, effects: ProxyEffects) -> None:
        """Nobody is where `branch` leads: it goes where else it may, or ends as if a 503 had come (§16.9)."""
        effects.touch(self.server)
        if branch.final is not None:
            return
        tried, env = branch.client.flow if branch.client else None, self._env
        if branch.hops and tried:
            env.next_hops.set_aside(tried, effects.now)
        if self._may_move(branch):
            self._send_on(branch, effects)
            return
        flow = env.large.back(branch.plan, tried, effects) if tried else None
        flow = flow or env.flow_after(branch.plan, tried)
        if flow is None or self._cancelled or self._used() >= MAX_BREADTH:
            self._give_up(branch, self._unreached(branch), effects)
        else:
            self._send_over(branch, flow, effects)

    def _unreached(self, branch: Branch) -> int:
        """What it means that nobody is there: where a connection was the way, that is gone (RFC 5626 §11.5)."""
        if not branch.plan.target.flows:
            return 503
        return 430 if self._received.is_in_dialog else 480

    def _add(self, targets: list[Target]) -> bool:
        """Put `targets` that were not tried yet behind those that wait; False if there is none.

        Their number is bounded, more tightly for a request that has been here before: what leads back to us
        must not multiply (RFC 5393 §3).
        """
        most = min(SPIRAL_TARGETS, self._routing.breadth) if self._received.passes else self._env.max_forks
        return self._waiting.add(targets, min(most, MAX_BREADTH) - self._used())

    def _used(self) -> int:
        """The number of places it was or will be sent to: its targets, and the fallbacks of some of them."""
        return self._waiting.known + sum([each.has_fallen_back + each.has_moved for each in self._branches])

    def _is_pending(self) -> bool:
        for branch in self._branches:  # noqa: SIM110
            if branch.final is None:
                return True
        return False

    def _start_group(self, group: list[Target], effects: ProxyEffects) -> None:
        """Nothing is pending: the group shares the whole breadth (RFC 5393)."""
        known = len(self._branches)
        for target in group:
            branch = self._make_branch(target, self._routing.breadth // len(group))
            if branch is not None:
                self._branches.append(branch)
        for branch in self._branches[known:]:
            self._resolve(branch, effects)

    def _make_branch(self, target: Target, breadth: int) -> Branch | None:
        """Return a branch for `target`, None if nothing can be sent there: a URI of a registered phone."""
        try:
            planned = plan(self._routing, target, self._env.policy.own)
            return Branch(self, self._env.layer, planned, breadth)
        except ParseError as error:
            self._unplanned = Final(error.status)
            return None

    def _resolve(self, branch: Branch, effects: ProxyEffects) -> None:
        hop = literal_hop(branch.plan.hop)
        if hop is not None:
            self._send(branch, self._env.flow_for(branch.plan, hop), effects)
        else:
            question = Question(branch.plan.hop, self._routing.user or self._received.source.host)
            self._env.ask(question, partial(self._send_resolved, branch), effects)

    def _send_resolved(self, branch: Branch, hops: Sequence[NextHop], effects: ProxyEffects) -> None:
        """The name leads there."""
        if branch.final:
            return
        effects.touch(self.server)
        branch.hops = self._env.next_hops.in_order(hops, effects.now)
        self._send_on(branch, effects)

    def _send_on(self, branch: Branch, effects: ProxyEffects) -> None:
        """Send the request to the next of its hops, or where else it may go if there is none."""
        self._send(branch, self._env.next_flow(branch.plan, branch.hops), effects)

    def _send(self, branch: Branch, flow: Flow | None, effects: ProxyEffects) -> None:
        if flow is None:
            self._give_up(branch, self._unreached(branch), effects)
        else:
            self._send_over(branch, flow, effects)

    def _may_move(self, branch: Branch) -> bool:
        """Whether the request may go to the next hop of its name (RFC 3263 §4.3)."""
        may = branch.final is None and branch.hops and not self._cancelled
        return bool(may) and self._used() < MAX_BREADTH

    def _move(self, branch: Branch, effects: ProxyEffects) -> None:
        """Nobody has answered: the next hop gets the request, too. A late 2xx of this one is passed on all the same."""
        if not self._may_move(branch):
            return
        if branch.client:
            self._env.next_hops.set_aside(branch.client.flow, effects.now)
        successor = Branch(self, self._env.layer, branch.plan, branch.breadth)
        successor.hops, branch.hops = branch.hops, []
        if "S" in branch.armed:
            successor.ring_until(branch.armed["S"])
        branch.given_up = branch.has_moved = True
        branch.end(Final(408))
        self._branches.append(successor)
        self._send_on(successor, effects)

    def _leave_busy(self, branch: Branch, client: ClientTransaction, effects: ProxyEffects) -> None:
        """The hop that `client` has tried is too busy: the next one gets the request."""
        self._env.next_hops.set_aside(client.flow, effects.now)
        self._send_on(branch, effects)
        if branch.client is not client:
            client.user = None  # it goes on by itself

    def _trunk_asking(self, branch: Branch, response: Message) -> Trunk | None:
        """By which trunk it went, if its provider wants a password, which is none of the phone's."""
        trunks = self._env.policy.trunks
        if trunks is None or response.status not in ANSWER_FIELDS or branch.given_up:
            return None
        host = branch.client.flow.host if branch.client else ""
        return trunks.trunk_of(self._received, branch.plan.target, host)

    def _answer_provider(
        self, trunk: Trunk, branch: Branch, response: Message, effects: ProxyEffects
    ) -> Final | None:
        """Send the request again with an answer to the challenge; return in what it ends if that cannot be done."""
        trunks, client = self._env.policy.trunks, branch.client
        assert trunks is not None
        assert client is not None
        sent = parse_message(client.raw)
        proof = trunks.prove(trunk, sent, response)
        if self._cancelled or self.server.is_finished:
            return Final(487)
        if not proof.line:
            return Final(502, None, proof.why)
        client.user = None  # it goes on by itself
        identity = self._env.branches.next(self._received.routing_hash)
        raw = trunks.once_more(sent, identity, proof.line)
        branch.client = self._env.layer.open_client(identity, sent.method, client.flow, raw, branch, effects)
        self._edition += 1
        if branch.is_invite:
            branch.watch(effects.now)
        return None

    def _send_over(self, branch: Branch, flow: Flow, effects: ProxyEffects) -> None:
        env = self._env
        if env.policy.own.is_listening_at(flow.host, flow.port):
            self._give_up(branch, 482, effects)
        elif self._relayed is None:
            self._send_copy(branch, flow, Leaving(), effects)
        else:
            self._edition += branch.client is not None
            branch.client = None
            place, send = self._branches.index(branch), partial(self._send_relayed, branch, flow)
            self._relayed.request(place, branch.plan.target, flow, send, effects)

    def _send_relayed(self, branch: Branch, flow: Flow, leaving: Leaving, effects: ProxyEffects) -> None:
        """It is known how the media of the request is relayed."""
        if branch.final:
            return
        effects.touch(self.server)
        if leaving.status:
            self._give_up(branch, leaving.status, effects, leaving.why)
        else:
            self._send_copy(branch, flow, leaving, effects)

    def _send_copy(self, branch: Branch, flow: Flow, leaving: Leaving, effects: ProxyEffects) -> None:
        env = self._env
        identity = env.branches.next(self._received.routing_hash)
        added = self._added_lines(branch, flow)
        replaced = lines_that_came(self._received.message) if self._stages else []
        copied = self._received, branch.plan, self._routing
        raw = compose(*copied, identity, flow, env.policy, added, replaced, leaving.mark)
        raw = with_body(parse_message(raw), leaving.body) if leaving.body else raw
        if len(raw) > LARGEST_SENT:
            self._give_up(branch, 513, effects)
            return
        if len(raw) > env.large.above:
            flow, raw = env.large.move(branch.plan, flow, raw, identity, effects)
        method = self._received.method
        branch.client = env.layer.open_client(identity, method, flow, raw, branch, effects)
        self._edition += 1
        self._watch(branch, effects)

    def _give_up(self, branch: Branch, status: int, effects: ProxyEffects, why: str = "") -> None:
        """Nothing can be sent on this branch. `why`: for people."""
        branch.end(Final(status, why=why))
        self._settle(effects)

    def _added_lines(self, branch: Branch, flow: Flow) -> list[bytes]:
        has_one = Header.MAX_BREADTH in self._received.message.numbers
        lines = [b"Max-Breadth: %d" % branch.breadth] if has_one or branch.breadth < MAX_BREADTH else []
        user = self._routing.user
        if user and self._env.asserted_domain and flow.host in self._env.policy.trusted:
            lines.append(f"P-Asserted-Identity: <sip:{quote(user)}@{self._env.asserted_domain}>".encode())
        if self._stages:
            lines += added_lines(self._received, self._routing, self._stages, branch, self._env.diverts)
        return lines
