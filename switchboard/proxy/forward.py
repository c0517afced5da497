"""The copy of a request for one target, and where it goes (RFC 3261 §16.6 steps 2-8, RFC 5658)."""

from functools import lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple

from switchboard.auth.dialogs import PARAM, Dialogs
from switchboard.proxy.commands import Lookup
from switchboard.proxy.domains import DEFAULT_PORT
from switchboard.proxy.preprocess import Routing
from switchboard.proxy.received import Received
from switchboard.proxy.targets import Target
from switchboard.sip.address import NameAddr
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.respond import Hop, is_one_peer
from switchboard.sip.splice import Forwarding, forward_request
from switchboard.sip.uri import SipUri

LARGEST_SENT: Final = 65_507
"""Octets of a UDP datagram over IPv4. A copy is longer than what came, by our Via if nothing else."""
_REMEMBERED = 4096
_new = tuple.__new__
_DIALOG_FORMING = frozenset(("INVITE", "SUBSCRIBE", "REFER", "NOTIFY"))


class Plan(NamedTuple):
    """What a target makes of a request: the Request-URI, the Route set, and the hop that gets it."""

    text: str
    routes: tuple[str, ...]
    hop: Lookup


def plan(routing: Routing, target: Target) -> Plan:
    """Work out Request-URI, Route and next hop (§16.6 steps 2, 6 and 7); `ParseError` for a bad Route."""
    routes = (*target.path, *routing.routes)
    if not routes:
        return _new(Plan, (target.text, (), _given_hop(target.next_hop) or _hop_of(target.uri)))
    first = SipUri.parse(NameAddr.parse(routes[0]).uri)
    if first.param("lr") is not None:
        return Plan(target.text, routes, _hop_of(first))
    return Plan(str(first), (*routes[1:], f"<{target.text}>"), _hop_of(first))


def _given_hop(next_hop: str) -> Lookup | None:
    host, _, port = next_hop.rpartition(":")
    return Lookup(host.strip("[]"), int(port)) if host else None


def _hop_of(uri: SipUri) -> Lookup:
    if (uri.param("transport") or "udp").lower() != "udp":
        raise ParseError("Transport Not Supported", status=503)
    if not uri.has_host:
        raise ParseError("No Host To Send To", status=500)
    host = (uri.param("maddr") or uri.host).strip("[]")
    if ":::" in host:
        host = host.replace(":::", "::")  # as some write it (RFC 5118 §4.10)
    return _new(Lookup, (host, uri.port))


@lru_cache(_REMEMBERED)
def literal_hop(lookup: Lookup) -> Hop | None:
    """Return the hop if its host is an IP address, None if it must be resolved (RFC 3263 §4)."""
    if not (lookup.host[:1].isdigit() or ":" in lookup.host):
        return None
    try:
        ip_address(lookup.host)
    except ValueError:
        return None
    return lookup.host, DEFAULT_PORT if lookup.port is None else lookup.port


@lru_cache(_REMEMBERED)
def is_sendable(hop: Hop) -> bool:
    """Whether one peer can be there: no port 0, no multicast, no unspecified or broadcast address."""
    return 0 < hop[1] < 65536 and is_one_peer(hop[0])


def compose(
    received: Received, plan: Plan, routing: Routing, branch: str, sent_by: Hop, dialogs: Dialogs
) -> bytes:
    """Return the bytes to send; `sent_by` is what the target knows us by (steps 1-8).

    Credentials that were meant for us stay here (§22.3).
    """
    request = received.message
    host, port = _reference(sent_by[0]), sent_by[1]
    uri = plan.text.encode("utf-8", "surrogateescape")
    via = f"SIP/2.0/UDP {host}:{port};branch={branch}".encode()
    record_routes = _record_routes(received, plan, routing, (host, port), dialogs)
    routes, left_out = _changed_routes(request, plan), received.own_credentials
    change = (uri, via, received.completed_via, routing.max_forwards, record_routes, routes, left_out)
    return forward_request(request, _new(Forwarding, change))


def _record_routes(
    received: Received, plan: Plan, routing: Routing, sent_by: Hop, dialogs: Dialogs
) -> list[bytes]:
    """One entry, or one for each side when the sides know us by other addresses (RFC 5658 §3).

    `sent_by`: here with the brackets of an IPv6 reference.
    """
    if received.is_in_dialog or received.method not in _DIALOG_FORMING:
        return []
    outer, port = sent_by
    inner = outer if "%" in received.source.local else _reference(received.source.local) or outer
    hosts = (outer,) if inner == outer else (outer, inner)
    proof = _prove(received, plan, routing, dialogs)
    return [f"<sip:{host}:{port};lr;{PARAM}={proof}>".encode() for host in hosts]


def _prove(received: Received, plan: Plan, routing: Routing, dialogs: Dialogs) -> str:
    """That the dialog leads back to where its caller is and says to be, and on to the target."""
    message, via = received.message, received.via
    leads_to = [via.host, plan.hop.host]
    contact = message.get(Header.CONTACT) or via.host
    if via.host not in contact:
        leads_to.append(_host_of(contact))
    return dialogs.prove(
        message.call_id, message.from_tag, received.source.host, leads_to, relayed=routing.may_relay
    )


def _host_of(contact: str) -> str:
    try:
        return SipUri.parse(NameAddr.parse(contact).uri).host
    except ParseError:
        return ""


def _changed_routes(request: Message, plan: Plan) -> list[bytes] | None:
    if not plan.routes and Header.ROUTE not in request.numbers:
        return None
    return [route.encode("utf-8", "surrogateescape") for route in plan.routes]


def _reference(host: str) -> str:
    return f"[{host}]" if ":" in host else host
