"""The registrar's rules (RFC 3261 §10.3; RFC 3327, 5626, 5627): from a REGISTER to bindings and its response."""

from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache, partial
from hashlib import blake2s
from typing import Final, NamedTuple

from switchboard.auth.authenticator import Attempt, Authenticator
from switchboard.auth.failures import Failures, Reason
from switchboard.core.gruu import Gruus, is_gruu
from switchboard.core.preprocess import check_syntax
from switchboard.core.refusal import Refusal, bad_extension, try_later
from switchboard.core.targets import elsewhere
from switchboard.registrar.binding import Binding, instance_of
from switchboard.registrar.outbound import FLOW_TIMER_S, OUTBOUND, UDP_FLOW_TIMER_S, is_flow
from switchboard.registrar.rebind import RegistrarPolicy, Update, is_behind_translation, is_direct, rebind
from switchboard.registrar.store import Store
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import format_hop
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.respond import Hop, build_response, received_via, response_address, warning_of
from switchboard.sip.stateless import StatelessAnswers
from switchboard.sip.uri import SipUri
from switchboard.storage.unusable import NotWritten

GRUU: Final = "gruu"
SUPPORTED = frozenset(("path", OUTBOUND, GRUU))
LARGEST_ANSWER: Final = 65_000
"""Octets: what a datagram holds over IPv4, less what a translated phrase may add."""
MOST_DISPLACED: Final = 1000
"""Noted between two looks at them."""

Headers = list[tuple[str, str]]


class Displaced(NamedTuple):
    """A binding of `user` that went for want of room when a REGISTER came from `source` (host and port)."""

    user: str
    binding: Binding
    source: tuple[str, int]


class Answer(NamedTuple):
    """The response to a REGISTER, and its user ("": not a user of ours).

    `is_challenge`: it need not be remembered, and goes nowhere but back. b"": there is none.
    """

    response: bytes
    user: str = ""
    is_challenge: bool = False


class Registrar:
    """Owns the rules, not the store: the caller opens a batch of it around `process` and `purge`.

    `is_own` tells the URIs of our domain; `secret` makes our To tags; `authenticator` asks who somebody is
    (None: nobody is asked); `failures` keeps who named a domain that is not ours; `gruus` makes GRUUs (None: nobody
    gets any); `bound` is told the user and the packed flow of a binding over a connection. `now_at`: epoch seconds of
    the clock by which lifetimes count, which is `correction_s` behind the wall clock.
    """

    def __init__(
        self,
        store: Store,
        is_own: Callable[[SipUri], bool],
        policy: RegistrarPolicy,
        secret: bytes,
        authenticator: Authenticator | None = None,
        failures: Failures | None = None,
        gruus: Gruus | None = None,
        bound: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self._authenticator = authenticator
        self._failures = failures or Failures()
        self.store, self.policy, self.secret = store, policy, secret
        self.answers = authenticator.answers if authenticator else StatelessAnswers()
        self._is_own = is_own
        self._gruus = gruus
        self._bound = bound
        self.correction_s = 0.0
        self.displaced = 0
        self._displaced: list[Displaced] = []

    def process(
        self, request: Message, source: tuple[str, int], now_at: float, flow: bytes = b"", local: str = ""
    ) -> Answer:
        """Do what the REGISTER (scanned, else untrusted) from `source` asks for, all of it or nothing.

        `flow`: packed, the connection over which it came; b"" for UDP, where `local` is to which of our addresses it
        came. ParseError if not even an answer is possible:
        its top Via is malformed.
        """
        user, tag = "", to_tag(self.secret, request)
        try:
            user = self._user(request, source[0])
            if self._authenticator is not None:
                self._authenticate(self._authenticator, user, request, source, now_at)
            return Answer(self._register(user, request, source, now_at, flow, local), user)
        except Refusal as refusal:
            status, reason, headers = refusal.status, refusal.reason, list(refusal.headers)
        except ParseError as error:
            status, reason, headers = error.status, error.reason, [("Warning", warning_of(error))]
            tag = "" if error.header == "To" else tag  # a tag behind a malformed address would be lost in it
        top_via = received_via(request, source)
        if status == 401:
            hop = response_address(request, source)
            known = partial(self._is_registered_at, user, hop, now_at) if not flow else _somebody
            made = self.answers.make(
                request, source, status, reason, headers, to_tag=tag, at=now_at, is_known=known
            )
            return Answer(made[0] if made else b"", user, True)
        response = build_response(request, status, reason, to_tag=tag, headers=headers, top_via=top_via)
        return Answer(response, user)

    @property
    def asks_for_passwords(self) -> bool:
        """Whether somebody has to prove who it is."""
        return self._authenticator is not None

    def take_displaced(self) -> list[Displaced]:
        """The bindings that went for want of room since the last call; `displaced` counts them all."""
        taken, self._displaced = self._displaced, []
        return taken

    def purge(self, now_at: float, at_most: int) -> bool:
        """Remove the next bindings whose time is over, of about `at_most` users; whether to go on at once."""
        users, more = self.store.expired_users(now_at, at_most)
        for user in users:
            self.store.put(user, self.bindings(user, now_at))
        return more

    def remove(self, user: str, contact: str, now_at: float) -> int:
        """Remove the binding of `user` with this contact ("": all of them); return how many went. NotWritten."""
        bound = self.bindings(user, now_at)
        left = [binding for binding in bound if contact not in ("", binding.contact)]
        if left != bound:
            self.store.put(user, left)
        return len(bound) - len(left)

    def bindings(self, user: str, now_at: float) -> list[Binding]:
        """The valid bindings of `user`."""
        return [binding for binding in self.store.bindings(user) if binding.expires_at > now_at]

    def owns(self, place: str) -> bool:
        """Whether a URI with this host, and port if there is one, is of our domain."""
        try:
            return self._is_own(SipUri.parse(f"sip:{place}"))
        except ParseError:
            return False

    @staticmethod
    def is_translated(place: str, via: str, source: str) -> bool:
        """Whether a contact at this host and port is reached at `source` instead (see `Update`)."""
        return is_behind_translation(SipUri.parse(f"sip:{place}"), via, source)

    def date(self, second: int) -> str:
        """The value of Date at that second of the clock by which lifetimes count."""
        return _date(int(second + self.correction_s))

    def tell_bound(self, user: str, flow: bytes) -> None:
        """The bindings of `user` over the packed flow of a connection have changed."""
        if self._bound:
            self._bound(user, flow)

    def _is_registered_at(self, user: str, hop: Hop, now_at: float) -> bool:
        """Whether `user` is registered where answers to the request go."""
        source = format_hop(*hop)
        return any(binding.source == source for binding in self.bindings(user, now_at))

    def _user(self, request: Message, host: str) -> str:
        """Steps 2 to 5: what the request requires, and whose address-of-record its To names."""
        check_syntax(request)
        if Header.REQUIRE in request.numbers:
            _check_require(request)
        aor = _address_of_record(request)
        if not self._is_own(aor):
            self._failures.note(elsewhere(request, host, request.to_uri, Reason.FOREIGN_DOMAIN))
            raise Refusal(404)
        if not aor.username:
            raise Refusal(404)
        return aor.username

    def _authenticate(
        self,
        authenticator: Authenticator,
        user: str,
        request: Message,
        source: tuple[str, int],
        now_at: float,
    ) -> None:
        """Step 3 and 4: only the user itself changes its bindings, or sees them."""
        if source[0] in authenticator.trusted:
            return
        hop, agent = response_address(request, source), request.get(Header.USER_AGENT) or ""
        attempt = Attempt(request.method, request.uri, hop, self._is_own, now_at, agent)
        verdict = authenticator.identify(request.all(Header.AUTHORIZATION), attempt)
        if not verdict.user:
            raise Refusal(401, headers=authenticator.challenge("WWW-Authenticate", verdict, attempt, user))
        if verdict.user != user:
            authenticator.note(attempt, verdict, Reason.NOT_OWN_BINDINGS)
            raise Refusal(403, "Not Your Address-Of-Record")

    def _register(
        self, user: str, request: Message, source: tuple[str, int], now_at: float, flow: bytes, local: str
    ) -> bytes:
        """Steps 6 to 8: bind and unbind, if a datagram holds the 200."""
        update = Update.of(request, source, flow, local if self.policy.keeps_local else "")
        bound = self.bindings(user, now_at)
        wanted, displaced = rebind(request, update, bound, self.policy, now_at)
        self._check_gruus([binding for binding in wanted if update.made(binding)])
        response = self._ok(request, update, wanted, now_at)
        if len(response) > LARGEST_ANSWER:
            raise Refusal(513)
        if wanted != bound:
            try:
                self.store.put(user, wanted)
            except NotWritten as error:
                raise Refusal(503, headers=[try_later(request)]) from error
            if update.flow:
                self.tell_bound(user, update.flow)
        for binding in displaced:
            self._note_displaced(Displaced(user, binding, source))
        return response

    def _check_gruus(self, made: list[Binding]) -> None:
        """A GRUU of ours is no place to send to (RFC 5627 §5.1)."""
        for binding in made:
            uri = binding.contact_uri if ";gr" in binding.contact.lower() else None
            if uri is not None and is_gruu(uri) and self._is_own(uri):
                raise Refusal(403, "A GRUU Is No Contact")

    def _ok(self, request: Message, update: Update, wanted: list[Binding], now_at: float) -> bytes:
        """The 200 lists first what the request bound: some phones read no further."""
        own = [binding for binding in wanted if update.made(binding)]
        listed = own + [binding for binding in wanted if not update.made(binding)]
        headers = [("Contact", self._format_contact(binding, request, update, now_at)) for binding in listed]
        if update.path and "path" in update.supported:
            headers += [("Path", value) for value in update.path]
        if OUTBOUND in update.supported and any(is_flow(binding.params) for binding in own):
            headers.append(("Require", OUTBOUND))
            if is_direct(request):
                headers.append(("Flow-Timer", str(FLOW_TIMER_S if update.flow else UDP_FLOW_TIMER_S)))
        headers.append(("Date", self.date(int(now_at))))
        top_via = received_via(request, update.source)
        return build_response(request, 200, "", to_tag(self.secret, request), headers, top_via)

    def _format_contact(self, binding: Binding, request: Message, update: Update, now_at: float) -> str:
        left = max(1, round(binding.expires_at - now_at))
        gruus = self._gruus_of(binding, request, update) if GRUU in update.supported else ""
        return f"<{binding.contact}>{binding.params}{gruus};expires={left}"

    def _gruus_of(self, binding: Binding, request: Message, update: Update) -> str:
        """Both GRUUs of an instance; each answer has another temporary one (RFC 5627 §5.3)."""
        instance = instance_of(binding.params)
        aor = SipUri.parse(request.to_uri)
        if self._gruus is None or instance is None or {'"', "\\"} & set(aor.address_of_record):
            return ""
        public = self._gruus.public(aor, instance[0])
        distinction = f"{update.call_id}\0{update.cseq}\0{update.via.branch}"
        temporary = self._gruus.temporary(aor, instance[0], binding.call_id, distinction)
        return f';pub-gruu="{public}";temp-gruu="{temporary}"'

    def _note_displaced(self, displaced: Displaced) -> None:
        self.displaced += 1
        if len(self._displaced) < MOST_DISPLACED:
            self._displaced.append(displaced)


def to_tag(secret: bytes, request: Message) -> str:
    """A tag that a retransmission gets again (§8.2.7)."""
    text = f"{request.call_id}\0{request.cseq[0]}\0{request.via.branch}"
    octets = text.encode("utf-8", "surrogateescape")
    return blake2s(octets, digest_size=4, key=secret, person=b"to-tag").hexdigest()


def _check_require(request: Message) -> None:
    required = [tag for tag in request.values(Header.REQUIRE) if tag.lower() not in SUPPORTED]
    if required:
        raise bad_extension(required)


def _address_of_record(request: Message) -> SipUri:
    """The To URI; a URI of another scheme is not ours (404)."""
    try:
        return SipUri.parse(request.to_uri)
    except ParseError as error:
        if error.status == 416:
            raise Refusal(404) from error
        raise ParseError("Malformed To", "To") from error


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def _somebody() -> bool:
    """Who has made a connection gets what is sent over it."""
    return True
