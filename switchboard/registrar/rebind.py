"""The bindings of a user after a REGISTER (RFC 3261 §10.3 steps 6 and 7, RFC 5626 §6.1).

They stay in the order in which they were refreshed: where there is no room, the first one is removed.

A phone that registers over a connection is reached over that connection, whatever its Contact says. When it comes
back over another connection, the new one has to take the place of the old one. An instance shows who comes back.
Phones without one have the same contact again, or at least the same Call-ID.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from switchboard.core.refusal import Refusal
from switchboard.registrar.binding import Binding, instance_of, returned_params
from switchboard.registrar.contacts import RequestedContact, removes_all, requested_contacts
from switchboard.registrar.outbound import OUTBOUND, any_flow, has_ob, with_flows
from switchboard.sip.address import NameAddr, split_values
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import format_hop
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.translation import is_translated
from switchboard.sip.uri import SipUri, is_sip
from switchboard.sip.via import Via

_LONGEST_USER_AGENT = 200
_CACHED_LENGTH = 256  # longer texts are read afresh, which bounds the cache's memory


class Update(NamedTuple):
    """A REGISTER without its contacts. `source`: where it came from.

    `flow`: packed, the connection over which it came from the phone itself; b"" for UDP, and behind a proxy.
    `supported`: option tags in lower case. `local`: to which of our addresses a datagram came, "" if that is no matter.
    """

    call_id: str
    cseq: int
    via: Via
    path: tuple[str, ...]
    user_agent: str
    source: tuple[str, int]
    flow: bytes = b""
    supported: frozenset[str] = frozenset()
    local: str = ""

    @classmethod
    def of(cls, request: Message, source: tuple[str, int], flow: bytes = b"", local: str = "") -> "Update":
        """Read the request (untrusted); ParseError blames Via or Path. `flow`: packed, if it is a connection."""
        user_agent = request.get(Header.USER_AGENT) or ""
        if not user_agent.isascii():
            user_agent = user_agent.encode(errors="replace").decode()
        path = _path(request)
        return cls(
            request.call_id,
            request.cseq[0],
            request.via,
            path,
            user_agent[:_LONGEST_USER_AGENT],
            source,
            flow if flow and not path and is_direct(request) else b"",
            _supported(request),
            local,
        )

    def succeeds(self, binding: Binding) -> bool:
        """Whether it comes over another connection from who made the binding."""
        return (
            binding.call_id == self.call_id and bool(self.flow and binding.flow) and binding.flow != self.flow
        )

    def made(self, binding: Binding) -> bool:
        """Whether the binding is by this request."""
        return (binding.call_id, binding.cseq) == (self.call_id, self.cseq)

    def binding(self, contact: RequestedContact, expires_at: float) -> Binding:
        """The binding that `contact` gets by this request."""
        source = format_hop(*self.source)
        return Binding(
            contact.uri,
            contact.q,
            expires_at,
            source if self._is_translated(contact.uri) else "",
            self.path,
            returned_params(contact.params, contact.q),
            self.call_id,
            self.cseq,
            self.user_agent,
            source,
            self.via.branch,
            self.flow,
            self.local,
        )

    def _is_translated(self, contact: str) -> bool:
        """Whether the user agent is reached where the request came from, and not at the contact."""
        return is_sip(contact) and is_behind_translation(SipUri.parse(contact), self.via.host, self.source[0])


def is_behind_translation(contact: SipUri, via: str, source: str) -> bool:
    """The same of the host in the top Via and the address that the request came from."""
    return not (contact.has_host and contact.port != 0) or is_translated(contact.host, via, source)


def _supported(request: Message) -> frozenset[str]:
    """The option tags, in lower case: phones of one make write the same."""
    if Header.SUPPORTED not in request.numbers:
        return frozenset()
    text = ", ".join(request.all(Header.SUPPORTED))
    return _tags_cached(text) if len(text) <= _CACHED_LENGTH else _tags(text)


@lru_cache(maxsize=256)
def _tags_cached(text: str) -> frozenset[str]:
    return _tags(text)


def _tags(text: str) -> frozenset[str]:
    return frozenset(map(str.lower, split_values(text)))


def is_direct(request: Message) -> bool:
    """Whether it comes from the phone itself: no proxy has added a Via."""
    return len(request.values(Header.VIA)) == 1


def _path(request: Message) -> tuple[str, ...]:
    if Header.PATH not in request.numbers:
        return ()
    try:
        values = tuple(request.values(Header.PATH))
        for value in values:
            if not SipUri.parse(NameAddr.parse(value).uri).has_host:
                raise ParseError("Bad URI")
    except ParseError as error:
        raise ParseError("Malformed Path", "Path") from error
    return values


MOST_OCTETS: Final = 32_000
"""Of all contacts of a user: half of a datagram. The rest is for what the 200, which lists them, copies."""
_SEPARATORS = 32  # octets besides URI and parameters, when a contact is listed
_NEVER_TOO_BRIEF = 3600  # seconds, §10.3 step 7


@dataclass(frozen=True, slots=True)
class RegistrarPolicy:
    """What bindings may be like. Expiries in seconds; `max_contacts` of one user.

    `keeps_local`: whether they keep the address of ours to which a datagram came, as another edge has others.
    """

    min_expires: int = 60
    max_expires: int = 7200
    default_expires: int = 3600
    max_contacts: int = 20
    keeps_local: bool = False


class Rebound(NamedTuple):
    """A user's bindings after a REGISTER, and those that had to go for want of room."""

    bindings: list[Binding]
    displaced: Sequence[Binding] = ()


def rebind(
    request: Message, update: Update, bound: list[Binding], policy: RegistrarPolicy, now_at: float
) -> Rebound:
    """Return what becomes of `bound`; Refusal if the request cannot be done completely. `now_at`: epoch s."""
    if removes_all(request):
        return Rebound(bound if _is_repeated(update, bound) else [])
    contacts = requested_contacts(request)
    if len(contacts) > policy.max_contacts + len(bound):
        raise Refusal(403, "Too Many Contacts")
    if any_flow(contacts):
        is_possible = has_ob(update.path) if update.path else is_direct(request)
        contacts = with_flows(contacts, is_possible=is_possible, is_supported=OUTBOUND in update.supported)
    touched = [each for each in bound if _is_among(each, contacts, update)]
    if not contacts or _is_repeated(update, touched):
        return Rebound(bound)
    kept = [each for each in bound if each not in touched]
    made: list[Binding] = []
    for contact in contacts:
        expires = _granted(contact.expires, policy)
        made = [each for each in made if not each.matches(contact.uri)]
        if expires:
            made.append(update.binding(contact, now_at + expires))
    return _fit(kept, made, policy.max_contacts) if made else Rebound(kept)


def _fit(kept: list[Binding], made: list[Binding], most: int) -> Rebound:
    """Let those of `kept` go that find no room beside what was just `made`, first refreshed first."""
    if len(made) > most:
        raise Refusal(403, "Too Many Contacts")
    room = MOST_OCTETS - _octets(made)
    if room < 0:
        raise Refusal(513)
    excess, wanted = max(0, len(kept) + len(made) - most), _octets(kept) - room
    while wanted > _octets(kept[:excess]):
        excess += 1
    return Rebound(kept[excess:] + made, kept[:excess])


def _octets(bindings: Sequence[Binding]) -> int:
    texts = [each.contact + each.params for each in bindings]
    return sum([len(text.encode("utf-8", "surrogateescape")) + _SEPARATORS for text in texts])


def _is_among(binding: Binding, contacts: Sequence[RequestedContact], update: Update) -> bool:
    """Whether one of `contacts` takes the place of the binding, or removes it."""
    for contact in contacts:  # noqa: SIM110 (a generator costs more)
        if _is_meant(contact, binding, update):
            return True
    return False


def _is_meant(contact: RequestedContact, binding: Binding, update: Update) -> bool:
    """Whether it is added for the same instance and flow, or for the same URI. Removed is only what the URI names:
    another contact of the instance may live.

    Over connections two instances, or two flows of one, may have the same URI, such as one of a loopback address.
    """
    has_flows = update.flow and binding.flow
    if not has_flows and binding.matches(contact.uri):
        return True
    named, bound = instance_of(contact.params), instance_of(binding.params)
    has_instances = named is not None and bound is not None
    if has_flows:
        if has_instances and named != bound:
            return False
        if binding.matches(contact.uri):
            return True
    if contact.expires == 0:
        return False
    return named == bound if has_instances else named is bound and update.succeeds(binding)


def _is_repeated(update: Update, touched: Sequence[Binding]) -> bool:
    """Whether the update, a retransmission, has already been applied to the bindings that it touches.

    Refusal if it is out of order: an equal or higher CSeq of the same Call-ID was there first (step 7).
    """
    later = [each for each in touched if each.call_id == update.call_id and each.cseq >= update.cseq]
    for each in later:
        if (each.cseq, each.branch) != (update.cseq, update.via.branch):
            raise Refusal(500)
    return bool(later)


def _granted(expires: int | None, policy: RegistrarPolicy) -> int:
    """The lifetime that a contact gets: an hour is never too brief (§10.3 step 7)."""
    if expires is None:
        return policy.default_expires
    if 0 < expires < min(policy.min_expires, _NEVER_TOO_BRIEF):
        raise Refusal(423, headers=[("Min-Expires", str(policy.min_expires))])
    return min(expires, policy.max_expires)
