"""The target set of a request (RFC 3261 §16.5): who is called, in which order, and who may call."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, Protocol

from switchboard.auth.dialogs import Dialogs
from switchboard.auth.failures import Failures, Reason
from switchboard.auth.trusted import Trusted
from switchboard.proxy.domains import OwnDomains
from switchboard.proxy.preprocess import Routing
from switchboard.proxy.received import Received
from switchboard.proxy.refusal import Refusal
from switchboard.sip.address import NameAddr
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
    def is_contact(self, contact: str, now_at: float) -> bool: ...


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
    """Who may be called by whom. `open_relay`: anybody may reach foreign domains. `users`: known by name.

    `dialogs` makes and reads what our Record-Route proves. `trusted`: networks that may reach anybody and be
    reached by everybody. `failures`: where refusals to relay are noted.
    """

    own: OwnDomains
    locations: Locations
    dialogs: Dialogs
    open_relay: bool = False
    users: Collection[str] = ()
    trusted: Trusted = field(default_factory=Trusted)
    failures: Failures = field(default_factory=Failures)

    def select(self, received: Received, routing: Routing, at: float) -> list[Target]:
        """Return the targets of a request, best q first; `Refusal` if there is none. `at`: epoch s."""
        ours = self.own.owns(routing.uri) and routing.uri.param("maddr") is None
        if routing.routes or not ours:
            self._check_relay(received, routing, at)
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

    def is_led(self, received: Received, routing: Routing, at: float) -> bool:
        """Whether our Record-Route says that this request of a dialog goes where the dialog leads.

        It also leads to whoever is registered, or trusted. `at`: epoch s.
        """
        if not (received.is_in_dialog and routing.had_own_route):
            return False
        message, host = received.message, next_host(routing)
        tags = message.from_tag, message.to_tag
        if self.dialogs.leads(routing.proof, message.call_id, tags, received.source.host, host):
            return True
        return host in self.trusted or (not routing.routes and self.locations.is_contact(routing.text, at))

    def note_relay(self, received: Received) -> None:
        """Somebody wanted to be brought where strangers are not brought."""
        self.failures.note(received.source.host, received.caller, received.method, Reason.FORBIDDEN_RELAY)

    def _check_relay(self, received: Received, routing: Routing, at: float) -> None:
        if self.is_led(received, routing, at):
            return
        if not (routing.may_relay or self._may_relay(received, at)):
            raise RelayRefusal(403, "Relaying Denied")
        routing.may_relay = True

    def _may_relay(self, received: Received, at: float) -> bool:
        caller, host = received.caller, received.source.host
        if self.open_relay or host in self.trusted:
            return True
        return bool(caller) and self.locations.registered_from(caller, host, at)


class RelayRefusal(Refusal):
    """Somebody wanted to be brought where strangers are not brought."""


def next_host(routing: Routing) -> str:
    """The host that gets the request next, as it is written; `ParseError` for a malformed Route."""
    uri = SipUri.parse(NameAddr.parse(routing.routes[0]).uri) if routing.routes else routing.uri
    return (uri.param("maddr") or uri.host).strip("[]")


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
        uri = uri.without_params("method").replace(headers="")
        text = str(uri)
    return _new(Target, (text, uri, bound.q, bound.path, bound.next_hop))
