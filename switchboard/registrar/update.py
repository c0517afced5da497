"""What all contacts of one REGISTER share, and the bindings made of it (RFC 3261 §10.3 step 7)."""

from typing import NamedTuple

from switchboard.registrar.binding import Binding, returned_params
from switchboard.registrar.contacts import RequestedContact
from switchboard.sip.address import NameAddr
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.host import format_hop
from switchboard.sip.message import Message
from switchboard.sip.translation import is_translated
from switchboard.sip.uri import SipUri, is_sip
from switchboard.sip.via import Via

_LONGEST_USER_AGENT = 200


class Update(NamedTuple):
    """A REGISTER without its contacts. `source`: where it came from."""

    call_id: str
    cseq: int
    via: Via
    path: tuple[str, ...]
    user_agent: str
    source: tuple[str, int]

    @classmethod
    def of(cls, request: Message, source: tuple[str, int]) -> "Update":
        """Read the request (untrusted); ParseError blames Via or Path."""
        user_agent = request.get(Header.USER_AGENT) or ""
        if not user_agent.isascii():
            user_agent = user_agent.encode(errors="replace").decode()
        return cls(
            request.call_id,
            request.cseq[0],
            request.via,
            _path(request),
            user_agent[:_LONGEST_USER_AGENT],
            source,
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
        )

    def _is_translated(self, contact: str) -> bool:
        """Whether the user agent is reached where the request came from, and not at the contact."""
        if not is_sip(contact):
            return False
        uri = SipUri.parse(contact)
        return not (uri.has_host and uri.port != 0) or is_translated(uri.host, self.via.host, self.source[0])


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
