"""Whose requests go through: users who prove themselves, and whom the operator lets in (RFC 3261 §22.3)."""

from dataclasses import dataclass

from switchboard.auth.authenticator import Attempt, Authenticator, Verdict
from switchboard.auth.failures import Reason
from switchboard.core.preprocess import Routing
from switchboard.core.refusal import Refusal
from switchboard.core.request import IncomingRequest
from switchboard.core.targets import TargetPolicy
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.uri import SipUri

_NOBODY = "anonymous.invalid"
"""The host in From of an anonymous caller (RFC 3323 §4.1.1.3)."""


class Challenge(Refusal):
    """The sender has to prove who it is: answered without state, for anybody may cause it."""


@dataclass(slots=True)
class Admission:
    """Stands between validation and routing. `match_from`: users call under their own name only.

    `strangers`: whether others may call our users (never anybody else).
    """

    authenticator: Authenticator
    policy: TargetPolicy
    match_from: bool = True
    strangers: bool = False

    def admit(self, incoming: IncomingRequest, routing: Routing, at: float) -> None:
        """Let the request, no ACK nor CANCEL (§22.1), pass, or raise the `Challenge`. `at`: epoch s."""
        if incoming.source.host in self.authenticator.trusted:
            routing.may_relay = True
        elif not (self._is_led(incoming, routing) or self._needs_no_proof(incoming, routing, at)):
            self._authenticate(incoming, routing, at)

    def admit_ack(self, incoming: IncomingRequest, routing: Routing, at: float) -> None:
        """Let the ACK for a 2xx pass, which our own Route leads, or raise a `Refusal` that nobody gets."""
        if incoming.source.host in self.authenticator.trusted or self._is_our_own(incoming):
            return
        if not (routing.is_led or self.policy.is_between_users(incoming, routing, at)):
            raise Refusal(403)

    def _is_led(self, incoming: IncomingRequest, routing: Routing) -> bool:
        """Whether its dialog leads it; not if a stranger who placed the call says now to be one of us."""
        if not (routing.is_led and routing.is_nobodys and self._names_us(incoming.message.from_uri)):
            return routing.is_led
        message = incoming.message
        return self.policy.seals.read(routing.seal, message.call_id, message.from_tag) is None

    def _needs_no_proof(self, incoming: IncomingRequest, routing: Routing, at: float) -> bool:
        ours = self.policy.own.owns(routing.uri) and not routing.routes
        if ours and not routing.uri.user and incoming.method == "OPTIONS":
            return True  # are you there? tells nothing about anybody
        if self._is_our_own(incoming) or self.policy.is_between_users(incoming, routing, at):
            return True
        return self.strangers and ours and not self._claims_to_be_ours(incoming)

    def _is_our_own(self, incoming: IncomingRequest) -> bool:
        """Whether we sent it, and it was admitted then."""
        source = incoming.source
        return bool(incoming.passes) and self.policy.own.is_listening_at(source.host, source.port)

    def _claims_to_be_ours(self, incoming: IncomingRequest) -> bool:
        """Whether a stranger says to be one of us, or what a phone may take for it."""
        if Header.PROXY_AUTHORIZATION in incoming.message.numbers:
            return True
        return self._names_us(incoming.message.from_uri)

    def _names_us(self, text: str) -> bool:
        try:
            uri = SipUri.parse(text)
        except ParseError:
            return True
        return not uri.has_host or "@" in uri.username or self.policy.own.is_host(uri.host)

    def _authenticate(self, incoming: IncomingRequest, routing: Routing, at: float) -> None:
        message = incoming.message
        shown = message.all(Header.PROXY_AUTHORIZATION)
        if not self.authenticator.is_ready:
            raise Challenge(503, headers=[("Retry-After", "5")])
        agent = message.get(Header.USER_AGENT) or ""
        hop, owns = incoming.reply_to.hop, self.policy.own.owns
        attempt = Attempt(incoming.method, message.uri, hop, owns, at, agent)
        verdict = self.authenticator.identify(shown, attempt)
        if not verdict.user:
            if incoming.method == "REGISTER" and not self.policy.own.owns(routing.uri):
                self.policy.note_elsewhere(incoming, Reason.ASKED_ELSEWHERE)
            fields = self.authenticator.challenge("Proxy-Authenticate", verdict, attempt, incoming.caller)
            raise Challenge(407, headers=fields)
        self._check_from(incoming, attempt, verdict)
        routing.may_relay = True
        routing.user = verdict.user

    def _check_from(self, incoming: IncomingRequest, attempt: Attempt, verdict: Verdict) -> None:
        if not self.match_from or incoming.caller == verdict.user:
            return
        if not incoming.caller and _is_anonymous_or_at_home(incoming, verdict.user):
            return
        self.authenticator.note(attempt, verdict, Reason.NOT_OWN_FROM)
        raise Challenge(403, "From Is Not The User")


def _is_anonymous_or_at_home(incoming: IncomingRequest, user: str) -> bool:
    """Whether From names nobody, or the user at the very address that it sends from, as some user agents do."""
    try:
        uri = SipUri.parse(incoming.message.from_uri)
    except ParseError:
        return False
    is_at_home = uri.host.strip("[]") == incoming.source.host and uri.username == user
    return uri.host == _NOBODY or is_at_home
