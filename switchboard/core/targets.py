"""The target set of a request (RFC 3261 §16.5): who may call whom, and where that leads."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from switchboard.auth.authenticator import Trusted
from switchboard.auth.failures import LONGEST_AGENT, Failure, Failures, Reason
from switchboard.core.call_rules import GROUP
from switchboard.core.contacts import Contacts
from switchboard.core.delegation import Delegation, EventPolicy
from switchboard.core.dial_plan import DialPlan, Lead
from switchboard.core.gruu import is_gruu
from switchboard.core.planner import Planner
from switchboard.core.preprocess import Routing, unproved_lines
from switchboard.core.refusal import Refusal, bad_extension
from switchboard.core.request import IncomingRequest
from switchboard.core.target import Target, secured
from switchboard.core.trunks import PARAM as TRUNK
from switchboard.core.trunks import Trunks
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.translation import is_private
from switchboard.sip.uri import SipUri, format_host_port, parse_uri

ALLOWED_METHODS = (
    "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, MESSAGE, INFO, REFER, SUBSCRIBE, NOTIFY, PRACK, UPDATE"
)
_EVENT_METHODS: Final = ("SUBSCRIBE", "PUBLISH")
ENDINGS: Final = ("ACK", "BYE")
"""Methods that begin nothing."""
RETRY_AFTER_S = 5
"""Retry-After while the bindings are not known yet, s."""


@dataclass(slots=True, kw_only=True)
class TargetPolicy(Contacts):
    """Who may be called by whom. `open_relay`: anybody may reach foreign domains. `users`: known by name.

    `seals` makes and reads what our Record-Route proves. `trusted`: networks that may reach anybody.
    `failures`: where refusals to relay are noted. `keeps_identity`: everybody may assert who calls (`identity`).
    `dial_plan`: whom numbers mean, and where they go that no user has. `events`: what the presence worker answers.
    `keeps_messages`: whether texts to users who are not there are kept (`keeping.py`).
    `planner`: what becomes of calls to users and groups with rules. `trunks`: accounts at providers.
    """

    open_relay: bool = False
    users: Container[str] = ()
    trusted: Trusted = field(default_factory=Trusted)
    failures: Failures = field(default_factory=Failures)
    keeps_identity: bool = False
    events: EventPolicy | None = None
    keeps_messages: bool = False
    planner: Planner | None = None
    trunks: Trunks | None = None

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
