"""The copy of a request for one target, and where it goes (RFC 3261 §16.6 steps 2-8, RFC 5658)."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple

from switchboard.core.commands import Fields, Lookup
from switchboard.core.domains import DEFAULT_PORT, OwnDomains
from switchboard.core.place import transport_of
from switchboard.core.preprocess import Routing, unproved_lines
from switchboard.core.record_route import is_recorded, record_routes
from switchboard.core.relay_mark import PARAM as MARK
from switchboard.core.request import IncomingRequest
from switchboard.core.target import Target
from switchboard.core.targets import TargetPolicy
from switchboard.core.trunk_masks import masked, without_answers
from switchboard.sip.address import NameAddr
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import NAMES, Flow, bracketed, default_port
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.respond import Hop, is_one_peer
from switchboard.sip.splice import Forwarding, forward_request
from switchboard.sip.uri import SipUri

LARGEST_SENT: Final = 65_507
"""Octets of a UDP datagram over IPv4. A copy is longer than what came, by our Via if nothing else."""
_REMEMBERED = 4096
_LONGEST_HOST = 255
_new = tuple.__new__


class Plan(NamedTuple):
    """What `target` makes of a request: the Request-URI, the Route set, and the hop that gets it."""

    text: str
    routes: tuple[str, ...]
    hop: Lookup
    target: Target

    @property
    def fallback(self) -> Hop | None:
        """Where the request goes if nobody can be at `hop`; None if there is nowhere else, or a Route to follow."""
        hop = None if self.routes else _given_hop(self.target.fallback)
        return (hop.host, hop.port or DEFAULT_PORT) if hop else None

    def saved(self) -> Fields:
        """What `restore` makes this plan of again."""
        return self.text, self.routes, self.hop.saved(), self.target.saved()

    @classmethod
    def restore(cls, text: str, routes: Sequence[str], hop: Sequence[object], target: Fields) -> "Plan":
        """Return the plan that wrote this."""
        return cls(text, tuple(routes), Lookup(*hop), Target.restore(target))  # type: ignore[arg-type]


def plan(routing: Routing, target: Target, own: OwnDomains) -> Plan:
    """Work out Request-URI, Route and next hop (§16.6 steps 2, 6 and 7); `ParseError` for a bad Route."""
    routes = (*target.path, *routing.routes)
    given = _given_hop(target.next_hop)
    if not routes:
        return _new(Plan, (target.text, (), given or _hop_of(target.uri, own), target))
    first = SipUri.parse(NameAddr.parse(routes[0]).uri)
    hop = given if given and not target.path else _hop_of(first, own)
    if first.param("lr") is not None:
        return Plan(target.text, routes, hop, target)
    return Plan(str(first), (*routes[1:], f"<{target.text}>"), hop, target)


def _given_hop(next_hop: str) -> Lookup | None:
    host, _, port = next_hop.rpartition(":")
    return Lookup(host.strip("[]"), int(port)) if host else None


def _hop_of(uri: SipUri, own: OwnDomains) -> Lookup:
    transport = transport_of(uri)
    if transport not in own.dialled:
        raise ParseError("Transport Not Supported", status=503)
    if not uri.has_host:
        raise ParseError("No Host To Send To", status=500)
    host = (uri.param("maddr") or uri.host).strip("[]")
    if ":::" in host:
        host = host.replace(":::", "::")  # as some write it (RFC 5118 §4.10)
    is_named = uri.port is None and uri.param("transport") is not None and not _is_numeric(host)
    return _new(Lookup, (host, uri.port, transport, is_named))


def _is_numeric(host: str) -> bool:
    """Whether it may be an IP address, and is no domain."""
    return host[:1].isdigit() or ":" in host


def literal_hop(lookup: Lookup) -> Hop | None:
    """Return the hop if its host is an IP address, None if it must be resolved (RFC 3263 §4)."""
    return _literal_cached(lookup) if len(lookup.host) <= _LONGEST_HOST else None  # a maddr may be longer


@lru_cache(_REMEMBERED)
def _literal_cached(lookup: Lookup) -> Hop | None:
    if not _is_numeric(lookup.host):
        return None
    try:
        ip_address(lookup.host)
    except ValueError:
        return None
    return lookup.host, default_port(lookup.transport) if lookup.port is None else lookup.port


@lru_cache(_REMEMBERED)
def is_sendable(hop: Hop) -> bool:
    """Whether one peer can be there: no port 0, no multicast, no unspecified or broadcast address."""
    return 0 < hop[1] < 65536 and is_one_peer(hop[0])


def via_of(to: Flow, branch: str, own: OwnDomains) -> bytes:
    """Return our Via of what is sent over the flow `to`."""
    port = own.port_of(to.transport)
    return f"SIP/2.0/{NAMES[to.transport]} {bracketed(to.local)}:{port};branch={branch}".encode()


def compose(
    incoming: IncomingRequest,
    plan: Plan,
    routing: Routing,
    branch: str,
    to: Flow,
    policy: TargetPolicy,
    added: Sequence[bytes] = (),
    replaced: Sequence[tuple[int, int]] = (),
    mark: str = "",
) -> bytes:
    """Return the bytes to send to the peer `to` (steps 1-8), which knows us by the address of its flow.

    Credentials that were meant for us stay here (§22.3), and so does what only trusted senders may say. `added`:
    header lines; `replaced`: start and end of those that are among them already. `mark`: what our Record-Route says of
    relayed media (`relay_mark`).
    """
    request, trunks = incoming.message, policy.trunks
    mask = trunks.mask_of(incoming, plan.target, routing.user) if trunks is not None else None
    text = without_answers(plan.text) if mask else plan.text
    uri = text.encode("utf-8", "surrogateescape")
    via = via_of(to, branch, policy.own)
    recorded: list[bytes] = []
    if is_recorded(incoming.method):
        may_relay, target = routing.may_relay, plan.target
        param = mask.param if mask else ""
        recorded = record_routes(
            incoming, target, plan.routes, to, policy.own, policy.seals, may_relay, param
        )
        if mark:
            recorded = [value[:-1] + f";{MARK}={mark}>".encode() for value in recorded]
    routes, left_out = _changed_routes(request, plan), [*policy.left_out(incoming), *replaced]
    if mask is not None:
        left_out += unproved_lines(request)
        added = [*added, *mask.added]
    hops = routing.max_forwards
    change = (uri, via, incoming.completed_via, hops, recorded, routes, left_out, added)
    raw = forward_request(request, _new(Forwarding, change))
    return raw if mask is None else masked(raw, mask.mask, request.uri)


def _changed_routes(request: Message, plan: Plan) -> list[bytes] | None:
    if not plan.routes and Header.ROUTE not in request.numbers:
        return None
    return [route.encode("utf-8", "surrogateescape") for route in plan.routes]
