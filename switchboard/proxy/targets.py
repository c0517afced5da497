"""The target set of a request (RFC 3261 §16.5): who is called, in which order, and who may call."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, Protocol

from switchboard.proxy.domains import OwnDomains
from switchboard.proxy.preprocess import Routing
from switchboard.proxy.received import Received
from switchboard.proxy.refusal import Refusal
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.uri import SipUri
from switchboard.transaction.commands import Fields

ALLOWED_METHODS = (
    "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, MESSAGE, INFO, "
    "REFER, SUBSCRIBE, NOTIFY, PUBLISH, PRACK, UPDATE"
)
_q = attrgetter("q")
_new = tuple.__new__
RETRY_AFTER_S = 5
"""When to call again while nobody has told us yet who is registered."""


class Bound(Protocol):
    """The part of a binding that routing needs (`switchboard.location.binding.Binding`)."""

    @property
    def contact(self) -> str: ...
    @property
    def q(self) -> float: ...
    @property
    def next_hop(self) -> str: ...
    @property
    def path(self) -> tuple[str, ...]: ...


class Locations(Protocol):
    """The location service as a router sees it. `now_at`: epoch s."""

    @property
    def is_loaded(self) -> bool: ...
    def lookup(self, user: str, now_at: float) -> Iterable[Bound]: ...
    def is_known(self, user: str) -> bool: ...
    def registered_from(self, user: str, host: str, now_at: float) -> bool: ...
    def next_hop_of(self, contact: str) -> str: ...


class Target(NamedTuple):
    """One place to send the request to.

    `text` is the Request-URI to write, `uri` the same parsed. `path`: Route values to push (RFC 3327).
    `next_hop`: "host:port" to send to instead of asking the URI, "" to ask it.
    """

    text: str
    uri: SipUri
    q: float = 1.0
    path: tuple[str, ...] = ()
    next_hop: str = ""

    def saved(self) -> Fields:
        """What `restore` makes this target of again."""
        return self.text, self.q, self.path, self.next_hop

    @classmethod
    def restore(cls, saved: Fields) -> "Target":
        """Return the target that `saved` was asked of."""
        text, q, path, next_hop = saved
        return cls(text, SipUri.parse(text), q, path, next_hop)


@dataclass(slots=True)
class TargetPolicy:
    """Who may be called by whom. `open_relay`: anybody may reach foreign domains. `users`: known by name."""

    own: OwnDomains
    locations: Locations
    open_relay: bool = False
    users: Collection[str] = ()

    def select(self, received: Received, routing: Routing, at: float) -> list[Target]:
        """Return the targets of a request, best q first; `Refusal` if there is none. `at`: epoch s."""
        ours = self.own.owns(routing.uri) and routing.uri.param("maddr") is None
        in_dialog = received.is_in_dialog and routing.had_own_route
        if (routing.routes or not ours) and not (in_dialog or self._may_relay(received, at)):
            raise Refusal(403, "Relaying Denied")
        if ours and (routing.uri.user or not routing.routes):
            return self._own_targets(received, routing, at)
        return [Target(routing.text, routing.uri, next_hop=self.locations.next_hop_of(routing.text))]

    def expand(self, uri: SipUri, q: float, at: float) -> list[Target]:
        """Return where a contact that a callee redirected to leads (§16.5, recursion)."""
        return self.bindings_of(uri.username, at) if self.own.owns(uri) else [Target(str(uri), uri, q)]

    def bindings_of(self, user: str, at: float) -> list[Target]:
        """Return the contacts of a user of ours that speak SIP, best q first."""
        return [target for bound in self.locations.lookup(user, at) if (target := _target(bound))]

    def _own_targets(self, received: Received, routing: Routing, at: float) -> list[Target]:
        user = routing.uri.username
        if not user:
            raise _own_answer(received)
        targets = self.bindings_of(user, at)
        if received.method == "PUBLISH" and (received.caller == user or not targets):
            raise Refusal(489)
        if targets:
            return targets
        if not self.locations.is_loaded:
            raise Refusal(503, headers=[("Retry-After", str(RETRY_AFTER_S))])
        raise Refusal(480 if user in self.users or self.locations.is_known(user) else 404)

    def _may_relay(self, received: Received, at: float) -> bool:
        caller = received.caller
        registered = caller and self.locations.registered_from(caller, received.source.host, at)
        return self.open_relay or bool(registered)


def by_priority(targets: list[Target]) -> list[list[Target]]:
    """Group `targets` for forking: equal q in parallel, falling q one group after the other (§16.6)."""
    if len(targets) == 1:
        return [targets]
    ordered = sorted(targets, key=_q, reverse=True)
    return [list(group) for _, group in groupby(ordered, key=_q)]


def _own_answer(received: Received) -> Refusal:
    """The answer to a request to the switchboard itself (§8.2.2.3, §11.2, RFC 3903 §6)."""
    if received.message.values(Header.REQUIRE):
        return Refusal(420, headers=[("Unsupported", ", ".join(received.message.values(Header.REQUIRE)))])
    if received.method == "OPTIONS":
        headers = [("Allow", ALLOWED_METHODS), ("Accept", "*/*"), ("Supported", "path")]
        return Refusal(200, headers=headers)
    if received.method == "PUBLISH":
        return Refusal(489)
    return Refusal(404)


def _target(bound: Bound) -> Target | None:
    try:
        uri = SipUri.parse(bound.contact)
    except ParseError:
        return None
    if uri.scheme != "sip":
        return None
    text = bound.contact
    if uri.headers or uri.param("method") is not None:
        uri = uri.without_params("method")._replace(headers="")
        text = str(uri)
    return _new(Target, (text, uri, bound.q, bound.path, bound.next_hop))
