"""The target set of a request (RFC 3261 §16.5), and what a redirection adds to it (§16.7 step 4)."""

import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from switchboard.auth.authenticator import Trusted
from switchboard.auth.failures import LONGEST_AGENT, Failure, Failures, Reason
from switchboard.core.call_rules import GROUP
from switchboard.core.delegation import Delegation, EventPolicy
from switchboard.core.dial_plan import DialPlan, Lead
from switchboard.core.dialog_seal import DialogSeals
from switchboard.core.domains import OwnDomains
from switchboard.core.gruu import Gruus, Named, is_gruu
from switchboard.core.place import address_named, transport_of
from switchboard.core.planner import Planner
from switchboard.core.preprocess import Routing, unproved_lines
from switchboard.core.refusal import Refusal, bad_extension
from switchboard.core.request import IncomingRequest
from switchboard.core.target import Bound, Target, secured, target_of
from switchboard.core.trunks import PARAM as TRUNK
from switchboard.core.trunks import Trunks
from switchboard.sip.address import NameAddr, uri_in
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import Flow, format_hop
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.translation import address_of, is_private
from switchboard.sip.uri import SipUri, format_host_port, parse_uri

ALLOWED_METHODS = (
    "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, MESSAGE, INFO, REFER, SUBSCRIBE, NOTIFY, PRACK, UPDATE"
)
_EVENT_METHODS: Final = ("SUBSCRIBE", "PUBLISH")
ENDINGS: Final = ("ACK", "BYE")
"""Methods that begin nothing."""
_MOST_ALIASES: Final = 20
"""Users that one user may lead to by contacts that are users."""
RETRY_AFTER_S = 5
"""Retry-After while the bindings are not known yet, s."""


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


@dataclass(slots=True)
class TargetPolicy:
    """Who may be called by whom. `open_relay`: anybody may reach foreign domains. `users`: known by name.

    `seals` makes and reads what our Record-Route proves. `trusted`: networks that may reach anybody.
    `failures`: where refusals to relay are noted. `keeps_identity`: everybody may assert who calls (`identity`).
    `dial_plan`: whom numbers mean, and where they go that no user has. `events`: what the presence worker answers.
    `keeps_messages`: whether texts to users who are not there are kept (`keeping.py`).
    `planner`: what becomes of calls to users and groups with rules. `trunks`: accounts at providers.
    """

    own: OwnDomains
    locations: Locations
    seals: DialogSeals
    open_relay: bool = False
    users: Container[str] = ()
    trusted: Trusted = field(default_factory=Trusted)
    failures: Failures = field(default_factory=Failures)
    keeps_identity: bool = False
    dial_plan: DialPlan | None = None
    events: EventPolicy | None = None
    keeps_messages: bool = False
    planner: Planner | None = None
    trunks: Trunks | None = None
    gruus: Gruus = field(init=False)

    def __post_init__(self) -> None:
        self.gruus = Gruus(self.seals.key)

    def left_out(self, incoming: IncomingRequest) -> list[tuple[int, int]]:
        """Start and end of the lines of a request that go no further."""
        message, lines = incoming.message, incoming.own_credentials
        if Header.MAX_BREADTH in message.numbers:
            lines = lines + message.lines(Header.MAX_BREADTH)
        return lines + self.doubtful_lines(message, incoming.source.host)

    def doubtful_lines(self, message: Message, host: str) -> list[tuple[int, int]]:
        """Start and end of the lines that a sender at this address is not believed."""
        doubtful = unproved_lines(message)
        if not doubtful or self.keeps_identity or host in self.trusted:
            return []
        if self.trunks is not None and self.trunks.may_name_callers(host):
            return unproved_lines(message, may_name=True)
        return doubtful

    def select(self, incoming: IncomingRequest, routing: Routing, at: float) -> list[Target]:
        """Return the targets of a request, best q first; `Refusal` if there is none. `at`: epoch s."""
        if routing.target is not None:
            return [routing.target]
        ours = self.own.owns(routing.uri)
        if routing.routes or not ours:
            self._check_relay(incoming, routing, at)
        if ours and (routing.uri.user or not routing.routes):
            return self._own_targets(incoming, routing, at)
        return [self._foreign_target(routing, at)]

    def expand(self, uri: SipUri, q: float, at: float) -> list[Target]:
        """Return where a contact that a callee redirected to leads (§16.5, recursion)."""
        return self.leads_of(uri, at) if self.own.owns(uri) else [Target(str(uri), uri, q)]

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

    def _refuse_user(self, user: str, at: float) -> Refusal:
        """The answer for a user of ours without a contact."""
        if not self.locations.is_loaded:
            return Refusal(503, headers=[("Retry-After", str(RETRY_AFTER_S))])
        targets = [self.target_of(bound, user) for bound in self.locations.lookup(user, at)]
        if any(target and self.own.owns(target.uri) for target in targets):
            return Refusal(482)  # there are contacts, and they lead back here
        return Refusal(480 if user in self.users or self.locations.is_known(user) else 404)

    def note_relay(self, incoming: IncomingRequest, routing: Routing) -> None:
        """Somebody wanted to be brought where strangers are not brought; a side of a dialog is no attacker."""
        if routing.is_sealed:
            return
        if incoming.method == "REGISTER":
            self.note_elsewhere(incoming, Reason.FOREIGN_DOMAIN)
            return
        source, reason = incoming.source.host, Reason.FORBIDDEN_RELAY
        self.failures.note(Failure(source, incoming.caller, incoming.method, reason))

    def note_elsewhere(self, incoming: IncomingRequest, reason: Reason) -> None:
        """A REGISTER for a domain that is not ours came to nothing."""
        self.failures.note(elsewhere(incoming.message, incoming.source.host, incoming.message.uri, reason))

    def is_between_users(self, incoming: IncomingRequest, routing: Routing, at: float) -> bool:
        """Whether it is a BYE or ACK of a user agent that goes past Record-Route, yet sends to us.

        It comes from where the user in From is registered, and goes to a contact of the user in To.
        """
        if not (incoming.is_in_dialog and incoming.method in ENDINGS) or routing.routes:
            return False
        source, caller, callee = incoming.source, incoming.caller, incoming.callee
        if not (caller and callee and self.locations.registered_at(caller, source.host, source.port, at)):
            return False
        bound = self.locations.binding_at(callee, routing.uri, at)
        if bound is not None and (target := self.target_of(bound, callee)):
            routing.target = target._replace(text=routing.text)
        return bound is not None

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

    def _own_targets(self, incoming: IncomingRequest, routing: Routing, at: float) -> list[Target]:
        called = routing.called
        user = routing.uri.username if called is None else self.plain_user(called)
        if not user:
            raise self._own_answer(incoming)
        if is_gruu(routing.uri) and called is None:
            return self._gruu_targets(routing.uri, at)
        if self.dial_plan is not None and called is None:
            lead = self._lead(self.dial_plan, user, incoming, routing, at)
            if lead.uris:
                return self._outside(lead.uris, incoming, routing, at)
            user = lead.user
        if self.planner and self.planner.concerns(user, at) and _obeys_rules(incoming):
            if not self.locations.is_loaded:
                raise self._refuse_user(user, at)
            routing.stages = self.planner.plan(user, routing.user or incoming.caller, at)
            return []
        if self.events is not None:
            group = self.planner.group_named(user, at) if self.planner else ""
            self.events.check(incoming, user, GROUP + group if group else "")
        if incoming.method in _EVENT_METHODS and incoming.caller == user and not incoming.is_in_dialog:
            raise self._bad_event()
        targets = self.bindings_of(user, at)
        if routing.uri.scheme == "sips":
            targets = list(filter(None, map(secured, targets)))  # nothing else may carry it (RFC 5630 §5.3)
        if incoming.method == "PUBLISH" and not targets:
            raise self._bad_event()
        if not targets:
            refusal = self._refuse_user(user, at)
            if refusal.status == 480 and self.keeps_messages and is_kept(incoming, routing):
                raise Delegation(user, refusal.status)
            raise refusal
        return targets

    def _bad_event(self) -> Refusal:
        """We keep no such event state (RFC 3903 §6, RFC 6665 §4.2.1.1); REFER's own subscriptions pass."""
        kept = self.events.packages if self.events else ()
        return Refusal(489, headers=[("Allow-Events", ", ".join((*kept, "refer")))])

    def _own_answer(self, incoming: IncomingRequest) -> Refusal:
        """The answer to a request to the switchboard itself (§8.2.2.3, §11.2, RFC 3903 §6)."""
        if required := incoming.message.values(Header.REQUIRE):
            return bad_extension(required)
        if incoming.method == "OPTIONS":
            return OwnAnswer(200, optional=self._abilities())
        return self._bad_event() if incoming.method in _EVENT_METHODS else Refusal(404)

    def _abilities(self) -> list[tuple[str, str]]:
        methods = f"{ALLOWED_METHODS}, PUBLISH" if self.events else ALLOWED_METHODS
        fields = [("Allow", methods), ("Accept", "*/*"), ("Supported", "path, outbound, gruu")]
        return [*fields, ("Allow-Events", ", ".join(self.events.packages))] if self.events else fields

    def _lead(
        self, dial_plan: DialPlan, dialled: str, incoming: IncomingRequest, routing: Routing, at: float
    ) -> Lead:
        """Where the dial plan leads the caller; `Refusal` if nowhere."""
        sender = self.sender_of(incoming, routing, at)
        lead = dial_plan.find(dialled, sender, partial(self.has_user, at=at))
        if lead.status:
            raise Refusal(lead.status, f"Dial Plan: {lead.rule}")
        return lead

    def has_user(self, user: str, at: float) -> bool:
        """Whether somebody has that name."""
        return (
            user in self.users or self.locations.is_known(user) or bool(list(self.locations.lookup(user, at)))
        )

    def _outside(
        self, uris: Sequence[str], incoming: IncomingRequest, routing: Routing, at: float
    ) -> list[Target]:
        """The gateways, one after the other, for those who may reach foreign domains."""
        if not (routing.is_led or routing.may_relay or self._may_relay(incoming, at)):
            raise RelayRefusal(403, "Relaying Denied")
        routing.may_relay = True
        return gateways(uris)

    def targets_of(self, user: str, uris: Sequence[str], routing: Routing, at: float) -> list[Target]:
        """Where a callee of a plan is (`call_plan.Callee`): the phones of `user`, or else the first of `uris`."""
        targets = self.bindings_of(user, at) if user else gateways(uris)
        return list(filter(None, map(secured, targets))) if routing.uri.scheme == "sips" else targets

    def _gruu_targets(self, uri: SipUri, at: float) -> list[Target]:
        """The instance; 480 if it is not registered, 404 if there is no such GRUU (RFC 5627 §5.4)."""
        targets = self.leads_of(uri, at)
        if uri.scheme == "sips":
            targets = list(filter(None, map(secured, targets)))
        if targets:
            return targets
        if not self.locations.is_loaded:
            raise Refusal(503, headers=[("Retry-After", str(RETRY_AFTER_S))])
        named = self.gruus.read(uri)
        is_user = named is not None and (named.user in self.users or self.locations.is_known(named.user))
        raise Refusal(480 if is_user and named and not named.is_temporary else 404)

    def _foreign_target(self, routing: Routing, at: float) -> Target:
        """A URI that is not ours: the contact of the user whom it names, if that has it, else itself.

        Only a private address is looked for, which says nothing to us: the contact of a phone behind address
        translation, to which a call is transferred.
        """
        user = routing.uri.username
        if user and not routing.routes and is_private(routing.uri.host):
            bound = self.locations.binding_at(user, routing.uri, at)
            if bound is not None and (target := self.target_of(bound, user)):
                return target._replace(text=routing.text, uri=routing.uri)
        return Target(routing.text, routing.uri)

    def _check_relay(self, incoming: IncomingRequest, routing: Routing, at: float) -> None:
        if routing.is_led or routing.may_relay:
            return
        if not (self._may_relay(incoming, at) or self._leads_to_a_phone(routing, at)):
            raise RelayRefusal(403, "Relaying Denied")
        routing.may_relay = True

    def _may_relay(self, incoming: IncomingRequest, at: float) -> bool:
        if self.open_relay or incoming.source.host in self.trusted:
            return True
        return bool(self._registered_sender(incoming, at))

    def sender_of(self, incoming: IncomingRequest, routing: Routing, at: float) -> str:
        """Return the user of ours who sends: who has proved it, or is registered there; "" for nobody."""
        return routing.user or self._registered_sender(incoming, at)

    def _registered_sender(self, incoming: IncomingRequest, at: float) -> str:
        """The user in From, if that is registered from the host that the request comes from; "" otherwise."""
        caller = incoming.caller
        return caller if caller and self.locations.registered_from(caller, incoming.source.host, at) else ""

    def _leads_to_a_phone(self, routing: Routing, at: float) -> bool:
        """Whether it goes to a registered contact: whoever was admitted may call its user, too."""
        return not routing.routes and self.locations.is_contact(routing.text, at)


def gateways(uris: Sequence[str]) -> list[Target]:
    """One after the other; those of trunks have the trunk's name in a parameter that is ours."""
    found = []
    for place, text in enumerate(uris):
        uri = parse_uri(text)
        trunk = uri.param(TRUNK) or ""
        uri = uri.without_params(TRUNK) if trunk else uri
        found.append(
            Target(str(uri) if trunk else text, uri, 1.0 - place / 100, is_spare=place > 0, trunk=trunk)
        )
    return found


def _obeys_rules(incoming: IncomingRequest) -> bool:
    """Whether it is a new call: not what takes the place of one (RFC 3891)."""
    is_new = incoming.method == "INVITE" and not incoming.is_in_dialog
    return is_new and not incoming.message.all("replaces")


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


def elsewhere(register: Message, host: str, uri: str, reason: Reason) -> Failure:
    """What is noted of a REGISTER from `host` for the `uri` of another domain (untrusted)."""
    agent = (register.get(Header.USER_AGENT) or "")[:LONGEST_AGENT]
    user, domain = _user_of(register.to_uri), _domain_of(uri)
    return Failure(host, user, "REGISTER", reason, agent, domain=domain)


def _user_of(uri: str) -> str:
    try:
        return SipUri.parse(uri).username
    except ParseError:
        return ""


def _domain_of(uri: str) -> str:
    try:
        return format_host_port(SipUri.parse(uri))
    except ParseError:
        return uri


def is_kept(incoming: IncomingRequest, routing: Routing) -> bool:
    """Whether a request is a text to a user, and could be delivered later as well as now."""
    if incoming.method != "MESSAGE" or incoming.is_in_dialog:
        return False
    return routing.uri.scheme == "sip" and not is_gruu(routing.uri)


class RelayRefusal(Refusal):
    """Somebody wanted to be brought where strangers are not brought."""


PROBE_CALL_ID: Final = "switchboard-probe-"
"""So begin the Call-IDs of our own OPTIONS, by which people see that we answer: no traffic of phones."""


class OwnAnswer(Refusal):
    """Answers a ping (OPTIONS) without state, in no more octets than the request."""


_FOLLOWED = (300, 301, 302)
_IN_USER = r"A-Za-z0-9\-_.!~*'()&=+$,;?/:%"
_IN_PARAM = r"A-Za-z0-9\-_.!~*'()\[\]/:&+$%"
_WELL_FORMED = re.compile(
    rf"sips?:(?:[{_IN_USER}]++@)?[^;?@]++(?>(?:;[{_IN_PARAM}]++(?:=[{_IN_PARAM}]++)?)*)", re.IGNORECASE
)
"""What we may write as a Request-URI of our own making; anything else is the caller's to follow."""


def redirected_targets(response: Message, policy: TargetPolicy, at: float) -> list[Target]:
    """Return where the contacts of `response` lead; none if it is no redirection that a proxy follows."""
    if response.status not in _FOLLOWED:
        return []
    try:
        contacts = response.values(Header.CONTACT)
    except ParseError:
        return []
    return [target for contact in contacts for target in _targets(contact, policy, at)]


def _targets(value: str, policy: TargetPolicy, at: float) -> list[Target]:
    try:
        contact = NameAddr.parse(value)
        uri = SipUri.parse(contact.uri)
        if not (_WELL_FORMED.fullmatch(contact.uri) and uri.has_host):
            return []
        q = float(contact.param("q") or 1.0)
    except (ParseError, ValueError):
        return []
    return policy.expand(uri, q, at)
