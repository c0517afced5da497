"""The destination of a request within a dialog: along the flow that its Route seals, whatever was registered since.

Theory. A target refresh may move a side of the dialog (RFC 3261 §12.2), but it does not change the route set, and so
it does not change the seal. So the Request-URI is compared with the sealed target. If they are the same, the flow is
the destination. Behind address translation it is the flow of the binding at this contact, if that side's user has
registered the contact from another address since. If they differ, the side has moved. The request follows it

* to a contact at which that side's user, if it is a user of ours, is registered now, over the flow of that binding,
* to another port of the address where the side was,
* and anywhere, if it is an ACK or BYE of a user of ours, or of a callee that was called as one, and it comes from where
  that side was.

A side with a connection is reached over that connection, whatever its Contact names, as nobody else can have it. If
the connection is gone, the request goes to the present binding of that side's user, then to the Contact, if that is at
the same host and not a browser's; else it is answered with 430 (RFC 5626 §5.3, §11.5).

A stranger may claim an address that is not his own. Requests go there only if they come from the other side's flow.
Otherwise the stranger could send as that side, and have us send to a third address.

Any other request is not a request of this dialog, and is treated as a stranger's. So the seal of an old call does
not allow to begin anything elsewhere.
"""

from typing import NamedTuple, Protocol

from switchboard.core.dialog_seal import NOBODY, Side
from switchboard.core.domains import canonical_host
from switchboard.core.gruu import is_gruu
from switchboard.core.place import address_named, transport_of
from switchboard.core.preprocess import Routing
from switchboard.core.request import IncomingRequest
from switchboard.core.target import Bound, Target, along, contact_flow, over, uri_of, ways_to
from switchboard.core.targets import ENDINGS, TargetPolicy
from switchboard.sip.address import uri_in
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import Flow, format_hop, is_dialled
from switchboard.sip.translation import is_private
from switchboard.sip.uri import SipUri


class Within(Protocol):
    """What matters of a request within a dialog: its method, and the user of ours whom To names."""

    @property
    def method(self) -> str: ...
    @property
    def callee(self) -> str: ...


class Known(NamedTuple):
    """The same where nothing else is known of the request."""

    method: str
    callee: str


def follow(
    policy: TargetPolicy,
    incoming: IncomingRequest,
    routing: Routing,
    at: float,
    answered_at: Target | None = None,
) -> None:
    """Note in `routing` whether the Route of a dialog leads the request, and where. `at`: epoch s.

    An ACK that has no Route, but fits an INVITE of which is known where it was `answered_at`, is led there.
    What is wrong with a Request-URI that nothing leads is raised.
    """
    if routing.seal and incoming.is_in_dialog:
        message = incoming.message
        sides = policy.seals.lead(routing.seal, message.call_id, message.from_tag, message.to_tag)
        if sides is not None:
            routing.is_sealed = True
            there, here = sides
            if message.from_tag == message.to_tag and _names(policy, routing, here):
                there, here = here, there
            routing.is_nobodys = here.owner == NOBODY
            _lead(policy, there, here, incoming, routing, at)
    elif answered_at is not None and routing.text == answered_at.text and not _is_asked_again(routing):
        routing.target, routing.is_led = answered_at, True
    if routing.unreadable and not routing.is_led:
        raise routing.unreadable


def _is_asked_again(routing: Routing) -> bool:
    """Whether it depends on more than the Request-URI where a request goes."""
    return bool(routing.routes) or is_gruu(routing.uri)


def _lead(
    policy: TargetPolicy, there: Side, here: Side, incoming: IncomingRequest, routing: Routing, at: float
) -> None:
    """Lead a request from the side `here` to the other one."""
    if there.is_claimed and incoming.method != "ACK" and not _comes_from(here, incoming):
        return
    _, uri = _next(routing)
    if _names(policy, routing, there):
        routing.target = unmoved(policy, there, incoming, routing, uri, at)
    elif not routing.routes and policy.own.owns(routing.uri):
        user = policy.user_of(routing.uri)
        routing.is_led = bool(user) and policy.seals.user(user) == there.owner
        return
    else:
        routing.target = _moved(policy, there, here, incoming, routing, uri, at)
    routing.is_led = routing.target is not None


def _names(policy: TargetPolicy, routing: Routing, side: Side) -> bool:
    """Whether the request is for where `side` was."""
    text, uri = _next(routing)
    return policy.seals.target_of(uri, text) == side.target


def _next(routing: Routing) -> tuple[str, SipUri]:
    """The URI that is asked for the next hop (RFC 3261 §16.6 step 7)."""
    text = routing.text
    if routing.routes:
        try:
            text = uri_in(routing.routes[0])
        except ParseError:
            text = routing.routes[0]
    return text, uri_of(text)


def unmoved(
    policy: TargetPolicy, there: Side, incoming: Within, routing: Routing, uri: SipUri, at: float
) -> Target:
    """Return the target of a request for where the side `there` was. `uri`: what is asked for the next hop."""
    if instance := _instance(policy, there, routing, at):
        return instance
    if there.flow.connection:
        return _connected(policy, there, incoming, routing, uri, at)
    target = along(routing.text, routing.uri, there.flow)
    is_looked_for = there.is_translated and not routing.routes
    bound = _registered(policy, there, incoming, uri, at) if is_looked_for else None
    if bound is not None and bound.flows:
        return bound._replace(text=routing.text, uri=routing.uri)
    is_elsewhere = bound is not None and bound.local not in ("", target.local)  # it has come to another edge
    if bound is not None and bound.next_hop and (is_elsewhere or bound.next_hop != target.next_hop):
        return target._replace(
            next_hop=bound.next_hop, local=bound.local
        )  # as its address translator made it
    if there.is_named and uri.scheme == "sip" and transport_of(uri) in policy.own.dialled:
        return target._replace(next_hop="", local="", fallback=target.next_hop)
    return target


def _instance(policy: TargetPolicy, there: Side, routing: Routing, at: float) -> Target | None:
    """The instance whose GRUU that side has as its Contact, if it is registered (RFC 5627 §5.4); None without.

    Somebody else's GRUU leads nowhere. Who calls without a name has one all the same, and is where it is registered.
    """
    uri = routing.uri
    if routing.routes or not (is_gruu(uri) and policy.own.owns(uri)):
        return None
    target = next(iter(policy.leads_of(uri, at)), None)
    is_own = policy.seals.user(policy.user_of(uri)) == there.owner
    return target if target and (is_own or _is_reached_over(target, there.flow)) else None


def _is_reached_over(target: Target, flow: Flow) -> bool:
    if target.flows:
        return flow.pack() in target.flows
    return target.next_hop == format_hop(*flow.hop) or (
        not target.next_hop and flow.is_at(*address_named(target.uri))
    )


def _connected(
    policy: TargetPolicy, there: Side, incoming: Within, routing: Routing, uri: SipUri, at: float
) -> Target:
    """Over the sealed connection; if that is gone, to the user's present binding, or to the contact (RFC 5626 §5.3).

    An ACK is sent once, and nobody hears of it if that fails: so it takes the connection that is known to be there.
    """
    text, asked, sealed = routing.text, routing.uri, there.flow
    if routing.routes:
        return over(text, asked, sealed, (sealed, *contact_flow(uri, sealed)))
    bound = _binding(policy, there, incoming, uri, at)
    ways = [] if bound is None else ways_to(bound)
    if incoming.method == "ACK" and bound is not None and bound.flow:
        return over(text, asked, ways[0], (*ways, sealed))
    return over(text, asked, sealed, (sealed, *ways, *contact_flow(uri, sealed)))


def _binding(policy: TargetPolicy, there: Side, incoming: Within, uri: SipUri, at: float) -> Bound | None:
    """The binding of the user who that side is: at the contact that it named, or else the only one that it can be.

    A phone comes back from the same host over the same transport; its other phones may be there, too.
    """
    user = incoming.callee
    if not user or policy.seals.user(user) != there.owner:
        return None
    bound = policy.locations.binding_at(user, uri, at)
    if bound is None:
        found = list(policy.locations.lookup(user, at))
        near = [each for each in found if each.flow and _is_like(Flow.unpack(each.flow), there.flow)]
        bound = next((each[0] for each in (found, near) if len(each) == 1), None)
    return bound


def _is_like(flow: Flow, other: Flow) -> bool:
    return flow.transport == other.transport and flow.host == other.host


def _moved(
    policy: TargetPolicy,
    there: Side,
    here: Side,
    incoming: IncomingRequest,
    routing: Routing,
    uri: SipUri,
    at: float,
) -> Target | None:
    if not routing.routes and (bound := _registered(policy, there, incoming, uri, at)):
        return bound
    if there.flow.connection and _is_reached_alone(there, uri):
        return _connected(policy, there, incoming, routing, uri, at)
    if there.is_translated and is_private(uri.host) and uri.host != there.flow.host:
        return along(routing.text, routing.uri, there.flow)
    may_follow = here.may_follow and incoming.method in ENDINGS and _comes_from(here, incoming)
    if uri.has_host and (may_follow or _is_near(there, uri)):
        return Target(routing.text, routing.uri)
    return None


def _is_reached_alone(there: Side, uri: SipUri) -> bool:
    """Whether who has that connection is reached over it, at the new target: no other host can be meant."""
    is_browser = not is_dialled(there.flow.transport) or not uri.has_host
    return is_browser or is_private(uri.host) or canonical_host(uri.host) == canonical_host(there.flow.host)


def _is_near(there: Side, uri: SipUri) -> bool:
    """Whether it is a port of the address where that side was, and no neighbour's behind one address translator."""
    host, port = address_named(uri)
    is_same = canonical_host(host) == canonical_host(there.flow.host)
    return is_same and (not there.is_translated or port == there.flow.port)


def _comes_from(here: Side, incoming: IncomingRequest) -> bool:
    """Whether its sender is where that side is: behind address translation others share the address."""
    source, flow = incoming.source, here.flow
    return source.host == flow.host and (source.port == flow.port or not here.is_translated)


def _registered(policy: TargetPolicy, there: Side, incoming: Within, uri: SipUri, at: float) -> Target | None:
    """The binding of the user who that side is, if that is where it says to be now."""
    user = incoming.callee
    if not user or policy.seals.user(user) != there.owner:
        return None
    bound = policy.locations.binding_at(user, uri, at)
    return None if bound is None else policy.target_of(bound, user)
