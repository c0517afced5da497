"""One place to send a request to (RFC 3261 §16.5)."""

from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, Protocol

from switchboard.core.commands import Fields
from switchboard.core.place import address_named, transport_of
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import UDP, Flow, format_hop, is_dialled, is_secure
from switchboard.sip.translation import address_of
from switchboard.sip.uri import SipUri, parse_uri

NOBODY = SipUri("", None, None, "", None, has_host=False)
"""Stands for a URI that cannot be read."""
_q = attrgetter("q")
_new = tuple.__new__


class Bound(Protocol):
    """The part of a binding that routing needs (`switchboard.registrar.binding.Binding`)."""

    @property
    def contact(self) -> str: ...
    @property
    def expires_at(self) -> float: ...
    @property
    def q(self) -> float: ...
    @property
    def next_hop(self) -> str: ...
    @property
    def path(self) -> tuple[str, ...]: ...
    @property
    def source(self) -> str: ...
    @property
    def source_host(self) -> str: ...
    @property
    def flow(self) -> bytes: ...
    @property
    def local(self) -> str: ...
    @property
    def call_id(self) -> str: ...
    @property
    def instance(self) -> str: ...
    @property
    def reg_id(self) -> str: ...


class Target(NamedTuple):
    """One place to send the request to.

    `text` is the Request-URI to write, `uri` the same parsed. `path`: Route values to push (RFC 3327).
    `next_hop`: "host:port" to send to instead of asking the URI, "" to ask it. `local`: our address to send from,
    "" for the one that faces the hop. `fallback`: "host:port" to send to if nobody can be there, "" for none.
    `user`: the user of ours whose binding it is. `flows`: packed, the ways over which to send instead, one after the
    other, if the first is of a transport with connections; a connection that is gone makes the next one's turn.
    `is_spare`: it is only tried if those before it could not be reached, or failed themselves (5xx). `trunk`: the
    account by which the provider there is called.
    """

    text: str
    uri: SipUri
    q: float = 1.0
    path: tuple[str, ...] = ()
    next_hop: str = ""
    local: str = ""
    fallback: str = ""
    user: str = ""
    flows: tuple[bytes, ...] = ()
    is_spare: bool = False
    trunk: str = ""

    def saved(self) -> Fields:
        """What `restore` makes this target of again; the last ones are left out if they say nothing."""
        if self.is_spare or self.trunk:
            return (*self[:1], *self[2 : 11 if self.trunk else 10])
        return (*self[:1], *self[2 : 9 if self.flows else 8])

    @classmethod
    def restore(cls, saved: Fields) -> "Target":
        """Return the target that `saved` was asked of."""
        text, q, path, next_hop, local, fallback, user, *more = saved
        flows, is_spare = (tuple(more[0]) if more else ()), len(more) > 1 and bool(more[1])
        trunk = more[2] if len(more) > 2 else ""
        return cls(
            text, uri_of(text), q, tuple(path), next_hop, local, fallback, user, flows, is_spare, trunk
        )


def target_of(bound: Bound, user: str) -> Target | None:
    """Return where a binding of `user` leads; None if it is no SIP URI.

    Where it was registered from is another way to it, unless that is the same host: there another port may be anybody.
    What was registered over a connection is reached over that; without it, at its contact on the same host.
    """
    try:
        uri = parse_uri(bound.contact)
    except ParseError:
        return None
    text = bound.contact
    if uri.headers or uri.param("method") is not None:
        uri = uri.without_params("method").replace(headers="")
        text = str(uri)
    if bound.flow and not bound.path:
        flow = Flow.unpack(bound.flow)
        return over(text, uri, flow, (flow, *contact_flow(uri, flow)), user)._replace(q=bound.q)
    is_elsewhere = bound.source_host != uri.host.strip("[]")
    fallback = bound.source if is_elsewhere and not (bound.next_hop or bound.path) else ""
    return _new(
        Target, (text, uri, bound.q, bound.path, bound.next_hop, bound.local, fallback, user, (), False, "")
    )


def along(text: str, uri: SipUri, flow: Flow, user: str = "") -> Target:
    """Return the target that is reached over `flow`, whatever its URI says."""
    if flow.transport != UDP:
        return over(text, uri, flow, (flow,), user)
    return _new(
        Target, (text, uri, 1.0, (), format_hop(flow.host, flow.port), flow.local, "", user, (), False, "")
    )


def over(text: str, uri: SipUri, flow: Flow, flows: Iterable[Flow], user: str = "") -> Target:
    """Return the target that is reached over the first of `flows` that works; the first of all is `flow`."""
    packed = tuple(dict.fromkeys(each.pack() for each in flows))
    return _new(
        Target,
        (text, uri, 1.0, (), format_hop(flow.host, flow.port), flow.local, "", user, packed, False, ""),
    )


def ways_to(bound: Bound) -> list[Flow]:
    """The ways to a binding: over its flow, else to where it is; none to a name, which is to be resolved first."""
    if bound.flow:
        return [Flow.unpack(bound.flow)]
    host, _, port = bound.next_hop.rpartition(":")
    if host:
        return [Flow(UDP, bound.local, host.strip("[]"), int(port))]
    uri = uri_of(bound.contact)
    is_there = (
        uri.has_host and address_of(address_named(uri)[0]) is not None and is_dialled(transport_of(uri))
    )
    return [Flow(transport_of(uri), bound.local, *address_named(uri))] if is_there else []


def secured(target: Target) -> Target | None:
    """The target with those of its ways that `sips` allows (RFC 5630 §3.1); None if there is none."""
    flows = tuple(flow for flow in target.flows if is_secure(flow[0]))
    if flows == target.flows:
        return target if flows or is_secure(transport_of(target.uri)) else None
    return target._replace(flows=flows) if flows else None


def contact_flow(uri: SipUri, flow: Flow) -> list[Flow]:
    """The way to a contact itself for when `flow` is gone: none to a browser, none to another host (RFC 5626 §5.3)."""
    host, port = address_named(uri)
    transport = flow.transport if uri.param("transport") is None else transport_of(uri)
    is_there = bool(port) and uri.has_host and Flow(flow.transport, "", host, port).is_at(flow.host, port)
    return [Flow(transport, flow.local, flow.host, port)] if is_there and is_dialled(transport) else []


def by_priority(targets: list[Target]) -> list[list[Target]]:
    """Group `targets` for forking: equal q in parallel, falling q one group after the other (§16.6)."""
    if len(targets) == 1:
        return [targets]
    ordered = sorted(targets, key=_q, reverse=True)
    return [list(group) for _, group in groupby(ordered, key=_q)]


def uri_of(text: str) -> SipUri:
    """Return the URI; nobody's if it is not a SIP URI, which only a flow can reach."""
    try:
        return parse_uri(text)
    except ParseError:
        return NOBODY
