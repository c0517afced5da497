"""Requests that one datagram may not hold on their way: by TCP, where the phone is known to have it (RFC 3261 §18.1.1).

Theory. A request that is larger than the path's MTU must not leave over UDP. Most phones take it all the same, in
fragments, and many have no TCP at the address of their Contact, or a firewall before it that answers nothing: a call
that first tries TCP there would ring seconds later. So no call tries. A large request to an address of which nothing
is known leaves over UDP, and at the same time we ask there over TCP (`probing.py`). Who has answered gets the next
large requests over TCP; if its connection cannot be made any more, they go back to UDP at once, with what the RFC says
of a reset. What was found out is forgotten after LASTS_S.

It concerns a Contact with an IP address at which the phone is reached itself, not behind address translation; also
one that says `transport=udp`, as Linphone writes, since the rule is about what would leave over UDP. Only the one
request changes its transport: Record-Route and the seal remain those of UDP, in which the rest of the dialog goes.
"""

from typing import Final

from switchboard.bounded import Generations
from switchboard.core.commands import ProxyEffects
from switchboard.core.environment import Environment
from switchboard.core.forwarding import Plan, literal_hop, via_of
from switchboard.core.place import address_named
from switchboard.core.probing import Probe
from switchboard.sip.flow import TCP, UDP, Flow
from switchboard.sip.respond import Hop

LASTS_S: Final = 3600.0
MOST: Final = 20_000
"""Addresses of which it is known, in one generation."""
MOST_ASKED: Final = 100
"""Addresses that are asked at a time."""


class LargeRequests:
    """One router's knowledge of who has TCP. Requests of more than `above` octets are large.

    `moved` counts requests that went by TCP, `asked` the questions.
    """

    def __init__(self, env: Environment, above: int) -> None:
        self.above = above
        self.moved = self.asked = 0
        self._env = env
        self._known: Generations[Hop, bool] = Generations(MOST, LASTS_S)
        self._asking: set[Hop] = set()

    def may_move(self, plan: Plan, flow: Flow, at: float | None) -> bool:
        """Whether a large request that leaves over `flow` could go by TCP: nobody knows `at` (epoch s) that it cannot.

        None: whatever is known now.
        """
        if at is not None:
            self._known.age(at)
        is_without = at is not None and self._known.get(flow.hop) is False
        return not is_without and self._flow_by_tcp(plan, flow) is not None

    def move(
        self, plan: Plan, flow: Flow, raw: bytes, branch: str, effects: ProxyEffects
    ) -> tuple[Flow, bytes]:
        """Return how a large request leaves that would over `flow`, and its octets. `branch`: that of our Via."""
        self._known.age(effects.at)
        known = self._known.get(flow.hop)
        by_tcp = self._flow_by_tcp(plan, flow) if known is not False else None
        if by_tcp is None:
            return flow, raw
        if not known:
            self._ask(plan, by_tcp, effects)
            return flow, raw
        self.moved += 1
        own = self._env.policy.own
        return by_tcp, raw.replace(via_of(flow, branch, own), via_of(by_tcp, branch, own), 1)

    def back(self, plan: Plan, tried: Flow, effects: ProxyEffects) -> Flow | None:
        """Return the flow of UDP in whose place `tried` was taken, and failed; None if it was the planned one."""
        flow = unmoved(plan, tried)
        if flow is tried:
            return None
        self._note(tried.hop, False, effects.at)
        return flow

    def answered(self, probe: Probe, effects: ProxyEffects) -> None:
        """A phone has TCP."""
        self._learn(probe, True, effects.at)

    def gave_up(self, probe: Probe, effects: ProxyEffects) -> None:
        """It has none."""
        self._learn(probe, False, effects.at)

    def stats(self) -> dict[str, float]:
        """Requests that went by TCP for their size, and addresses that were asked whether they have it."""
        return {"large_by_tcp": self.moved, "large_asked": self.asked}

    def _flow_by_tcp(self, plan: Plan, flow: Flow) -> Flow | None:
        own, uri = self._env.policy.own, plan.target.uri
        if flow.transport != UDP or plan.routes or plan.target.flows:
            return None
        if TCP not in own.dialled or address_named(uri) != flow.hop or not own.may_dial(flow.host):
            return None
        return flow._replace(transport=TCP)

    def _ask(self, plan: Plan, flow: Flow, effects: ProxyEffects) -> None:
        if flow.hop in self._asking or len(self._asking) >= MOST_ASKED:
            return
        self._asking.add(flow.hop)
        self.asked += 1
        Probe(self, flow.hop, self._env, effects.now).send(plan, flow, effects)

    def _learn(self, probe: Probe, has_tcp: bool, at: float) -> None:
        hop: Hop = probe.about  # type: ignore[assignment]
        self._asking.discard(hop)
        self._note(hop, has_tcp, at)

    def _note(self, hop: Hop, has_tcp: bool, at: float) -> None:
        self._known.age(at)
        self._known.put(hop, has_tcp, at)


def unmoved(plan: Plan, flow: Flow) -> Flow:
    """Return the flow that was planned: of UDP, if the request went by TCP for its size only."""
    is_moved = flow.transport == TCP and plan.hop.transport == UDP and not plan.target.flows
    return flow._replace(transport=UDP) if is_moved and literal_hop(plan.hop) == flow.hop else flow
