"""What every response context of one router shares."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from switchboard.core.authorization import Admission
from switchboard.core.calls import Unconfirmed
from switchboard.core.commands import Lookup, NextHop, ProxyEffects, Question
from switchboard.core.forwarding import LARGEST_SENT, Plan, is_sendable, literal_hop
from switchboard.core.limits import Caps
from switchboard.core.loop_detection import Branches, Numbering
from switchboard.core.next_hops import NextHops
from switchboard.core.relays import Relays
from switchboard.core.star_codes import StarCodes
from switchboard.core.targets import TargetPolicy
from switchboard.core.transactions import TransactionLayer
from switchboard.sip.flow import UDP, Flow
from switchboard.sip.message import Message
from switchboard.sip.respond import Hop
from switchboard.sip.stateless import StatelessAnswers

_new = tuple.__new__
T = TypeVar("T")
EndLate = Callable[[Message, bool, ProxyEffects], None]
"""What is done with a 2xx that came too late, and whether it came for the first time (`dialog_end.py`)."""
OnResolved = Callable[[Sequence[NextHop], ProxyEffects], None]


class LargeWays(Protocol):
    """How requests leave that are larger than `above` octets (`switchboard.core.large_requests`)."""

    @property
    def above(self) -> int: ...
    def may_move(self, plan: Plan, flow: Flow, at: float | None) -> bool: ...
    def move(
        self, plan: Plan, flow: Flow, raw: bytes, branch: str, effects: ProxyEffects
    ) -> tuple[Flow, bytes]: ...
    def back(self, plan: Plan, tried: Flow, effects: ProxyEffects) -> Flow | None: ...
    def stats(self) -> dict[str, float]: ...


class Environment:
    """The router's parts, made once.

    `source_address`: our address towards an IP address ("" if unknown). `recurse`: whether a 3xx is followed.
    `max_forks`: targets of one request, redirections included. `caps`: what is refused at all.
    `incarnation` makes the tags of this process differ from its predecessors'. `admission`: who may send
    requests; None: everybody. `asserted_domain`: in which trusted peers are told who calls (RFC 3325), "" if they
    are not. `answers` makes what is answered without a transaction. `tcp_above`: octets of a request above which it
    goes by TCP where the phone has it; `large` knows that. `diverts`: whether calls that are forwarded outside bear
    Diversion fields. `relays`: who relays media; None if nobody does. `star_codes`: by which users change their
    rules; None: there are none.
    """

    __slots__ = (
        "admission", "answers", "asserted_domain", "branches", "caps", "diverts", "end_late", "incarnation", "large",
        "layer", "max_forks", "next_hops", "numbers", "policy", "port", "recurse", "relays", "source_address",
        "star_codes", "tcp_above", "unconfirmed", "waiting",
    )  # fmt: skip

    def __init__(
        self,
        layer: TransactionLayer,
        policy: TargetPolicy,
        branches: Branches,
        source_address: Callable[[str], str],
        port: int,
        incarnation: str,
        recurse: bool = True,
        max_forks: int = 50,
        caps: Caps | None = None,
        admission: Admission | None = None,
        asserted_domain: str = "",
        tcp_above: int = LARGEST_SENT,
        relays: Relays | None = None,
        diverts: bool = False,
        star_codes: StarCodes | None = None,
    ) -> None:
        self.star_codes = star_codes
        self.layer = layer
        self.policy = policy
        self.branches = branches
        self.source_address = source_address
        self.port = port
        self.incarnation = incarnation
        self.recurse = recurse
        self.max_forks = max_forks
        self.caps = caps
        self.admission = admission
        self.asserted_domain = asserted_domain
        self.tcp_above = tcp_above
        self.relays = relays
        self.diverts = diverts
        self.large: LargeWays
        self.end_late: EndLate
        self.next_hops = NextHops()
        self.answers = admission.authenticator.answers if admission else StatelessAnswers()
        self.unconfirmed = Unconfirmed(layer.values.lifetime)
        self.waiting: dict[Lookup, list[OnResolved]] = {}
        self.numbers: Numbering = branches.numbers

    def make_tag(self) -> str:
        """Return a To tag for a response of our own (§19.3)."""
        self.numbers.tags += 1
        return f"{self.incarnation}-{self.numbers.tags:x}"

    def flow_for(self, plan: Plan, hop: Hop | None) -> Flow | None:
        """Return how what is planned leaves: to `hop`, or where else it may go; None if nobody can get it."""
        target = plan.target
        if target.flows and not target.path:
            return self.flow_after(plan, None)
        flow = self._flow_to(hop, target.local, plan.hop.transport)
        return flow or self._flow_to(plan.fallback, target.local, UDP)

    def next_flow(self, plan: Plan, hops: list[NextHop]) -> Flow | None:
        """Return how what is planned leaves to the first of `hops`, where its name leads, that can be sent to.

        Takes off `hops` what it has looked at. If none is left: where else the request may go; None if nowhere.
        """
        while hops:
            hop = hops.pop(0)
            if flow := self._flow_to((hop.host, hop.port), plan.target.local, hop.transport):
                return flow
        return self.flow_for(plan, None)

    def flow_after(self, plan: Plan, tried: Flow | None) -> Flow | None:
        """Return how else what is planned may leave, as nobody got it over `tried`; None if there is no other way."""
        if not plan.target.flows:
            hop = plan.fallback
            is_tried = tried is not None and hop == tried.hop
            return None if is_tried else self._flow_to(hop, plan.target.local, UDP)
        flows = list(map(self._completed, plan.target.flows))
        start = flows.index(tried) + 1 if tried and tried in flows else 0
        return next((flow for flow in flows[start:] if flow), None)

    def _completed(self, octets: bytes) -> Flow | None:
        """A flow with an address of ours: what is no connection yet has none of its own."""
        flow = Flow.unpack(octets)
        return flow if flow.connection else self._flow_to(flow.hop, flow.local, flow.transport)

    def _flow_to(self, hop: Hop | None, local: str, transport: int) -> Flow | None:
        """The flow to `hop`: from `local` if that is still an address of ours, at an edge that is there."""
        own = self.policy.own
        if hop is None or not is_sendable(hop) or transport not in own.dialled:
            return None
        if transport != UDP and not own.may_dial(hop[0]):
            return None
        if not (local and own.may_send_from(local, self.port)):
            local = self.source_address(hop[0])
        return _new(Flow, (transport, local, *hop, b"")) if local else None

    def with_flow(
        self, plan: Plan, asker: str, then: Callable[[Flow | None, ProxyEffects], T], effects: ProxyEffects
    ) -> T | None:
        """Call `then` with the flow by which what is planned leaves; later, and return None, if a name leads there.

        The first place that can be sent to is taken: for what is tried once. `asker` as in `Question`.
        """
        hop = literal_hop(plan.hop)
        if hop is not None:
            return then(self.flow_for(plan, hop), effects)
        self.ask(Question(plan.hop, asker), partial(self._among, plan, then), effects)
        return None

    def _among(
        self,
        plan: Plan,
        then: Callable[[Flow | None, ProxyEffects], object],
        hops: Sequence[NextHop],
        effects: ProxyEffects,
    ) -> None:
        then(self.next_flow(plan, self.next_hops.in_order(hops, effects.now)), effects)

    def ask(self, question: Question, then: OnResolved, effects: ProxyEffects) -> None:
        """Call `then` with the hops for a look-up, which is no `literal_hop`, when the answer is here."""
        self.waiting.setdefault(question.lookup, []).append(then)
        effects.lookups.append(question)
