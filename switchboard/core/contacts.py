"""Where the users of a router are: the contacts to which their names, and GRUUs of their phones, lead.

Theory. A user's targets are the bindings of the location service (RFC 3261 §16.5), and of a binding that is a user of
ours, that one's. Several flows of one instance are one target, with its ways one after the other, so that the request
does not reach a phone twice (RFC 5626 §5.3). A GRUU (RFC 5627) leads to one instance only.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from switchboard.core.dial_plan import DialPlan
from switchboard.core.dialog_seal import DialogSeals
from switchboard.core.domains import OwnDomains
from switchboard.core.gruu import Gruus, Named, is_gruu
from switchboard.core.place import address_named, transport_of
from switchboard.core.target import Bound, Target, target_of
from switchboard.sip.address import uri_in
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import Flow, format_hop
from switchboard.sip.translation import address_of
from switchboard.sip.uri import SipUri, parse_uri

_MOST_ALIASES: Final = 20
"""Users that one user may lead to by contacts that are users."""


class Locations(Protocol):
    """The location service as a router sees it. `now_at`: epoch s."""

    @property
    def is_loaded(self) -> bool: ...
    def lookup(self, user: str, now_at: float) -> Iterable[Bound]: ...
    def is_known(self, user: str) -> bool: ...
    def registered_from(self, user: str, host: str, now_at: float) -> bool: ...
    def registered_at(self, user: str, host: str, port: int, now_at: float) -> bool: ...
    def binding_at(self, user: str, uri: SipUri, now_at: float) -> Bound | None: ...
    def is_contact(self, contact: str, now_at: float) -> bool: ...


@dataclass(slots=True, kw_only=True)
class Contacts:
    """Finds the contacts of users. `seals` has the key of GRUUs; `dial_plan` knows whom a number means."""

    own: OwnDomains
    locations: Locations
    seals: DialogSeals
    dial_plan: DialPlan | None = None
    gruus: Gruus = field(init=False)

    def __post_init__(self) -> None:
        self.gruus = Gruus(self.seals.key)

    def bindings_of(self, user: str, at: float) -> list[Target]:
        """Return the contacts of a user of ours that speak SIP, best q first.

        A contact at an address of ours is resolved here, once: nothing is sent to ourselves (RFC 5393 §3).
        """
        bounds = list(self.locations.lookup(user, at))
        if len(bounds) == 1 and (target := self.target_of(bounds[0], user)) and not self._is_ours(target):
            return [self._without_own_path(target) if target.path else target]
        found: dict[str, Target] = {}
        self._gather(user, 1.0, found, {user}, at)
        return list(found.values())

    def target_of(self, bound: Bound, user: str) -> Target | None:
        """Return where a binding of `user` leads; None if it is no URI that we can send to."""
        target = target_of(bound, user)
        if target is None or target.flows or target.path or target.uri.scheme == "sip":
            return target
        return target if transport_of(target.uri) in self.own.dialled else None

    def leads_of(self, uri: SipUri, at: float) -> list[Target]:
        """Return the contacts to which a URI of ours leads: of its user, or of the instance that a GRUU names.

        Of an instance it is the one that was refreshed last (RFC 5627 §5.4), with its other flows.
        """
        if not is_gruu(uri):
            return self.bindings_of(self.plain_user(uri.username), at)
        named = self.gruus.read(uri)
        found: dict[str, Target] = {}
        for bound in self.locations.lookup(named.user, at) if named else ():
            if named and self._is_named(bound, named) and (target := self.target_of(bound, named.user)):
                _keep(found, self._without_own_path(target), named.user)
        return list(found.values())

    def plain_user(self, name: str) -> str:
        """Return the user whose name or number it is, as far as that does not depend on who calls; "" for nobody."""
        if self.dial_plan is None:
            return name
        return "" if self.dial_plan.is_emergency(name) else self.dial_plan.alias(name)

    def user_of(self, uri: SipUri) -> str:
        """Return whom a URI of ours names, "" for nobody."""
        if not is_gruu(uri):
            return uri.username
        named = self.gruus.read(uri)
        return named.user if named else ""

    def _is_named(self, bound: Bound, named: Named) -> bool:
        """Whether a GRUU names the instance of the binding, and a temporary one its registration."""
        if not bound.instance or self.gruus.instance(bound.instance) != named.instance:
            return False
        return not named.is_temporary or self.gruus.registration(bound.call_id) == named.registration

    def _gather(self, user: str, q: float, found: dict[str, Target], seen: set[str], at: float) -> None:
        for bound in self.locations.lookup(user, at):
            target = self.target_of(bound, user)
            if target is None:
                continue
            if not self._is_ours(target):
                target = self._without_own_path(target)
                key = f"{user} {bound.instance}" if bound.reg_id else f"{target.text} {bound.flow!r}"
                _keep(found, target if q == 1.0 else target._replace(q=q * target.q), key)
            elif len(seen) < _MOST_ALIASES and target.uri.username not in seen:
                seen.add(target.uri.username)
                self._gather(target.uri.username, q * target.q, found, seen, at)

    def _is_ours(self, target: Target) -> bool:
        """Whether it leads to a user of ours: over a connection it leads to a phone, even with a loopback address."""
        return not target.flows and self.own.owns(target.uri)

    def _without_own_path(self, target: Target) -> Target:
        """A Path that begins with ourselves would have us send to ourselves."""
        path = target.path
        while path and self._is_own_route(path[0]):
            path = path[1:]
        return target if path == target.path else target._replace(path=path)

    def _is_own_route(self, value: str) -> bool:
        try:
            return self.own.owns(parse_uri(uri_in(value)))
        except ParseError:
            return False


def _keep(found: dict[str, Target], target: Target, key: str) -> None:
    """Keep one target of those with the same key, which lead to one instance: one is tried after the other.

    The request must not reach it twice (RFC 5626 §5.3), so the others are ways to go where the first one fails. The
    first is the one that was refreshed last, which is the last of the same q. If that has a Path, it is the only one.
    """
    other = found.get(key)
    if other is None:
        found[key] = target
        return
    first, second = (other, target) if other.q > target.q else (target, other)
    if (first.flows or second.flows) and not first.path:
        flows = dict.fromkeys((*first.flows, *second.flows))
        found[key] = first._replace(flows=tuple(sorted(flows, key=_is_without_connection)))
    elif not (first.fallback or first.path):
        found[key] = first._replace(fallback=second.next_hop or _literal_place(second.uri))
    else:
        found[key] = first


def _literal_place(uri: SipUri) -> str:
    """Address and port that a URI names; "" for a name."""
    host, port = address_named(uri)
    return "" if address_of(host) is None else format_hop(host, port)


def _is_without_connection(flow: bytes) -> bool:
    return not Flow.unpack(flow).connection
