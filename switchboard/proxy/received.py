"""A request on its way through the proxy, and what is known of it before it is routed."""

from collections.abc import Iterator

from switchboard.auth.digest import realm_of
from switchboard.proxy.commands import CallEvent
from switchboard.proxy.domains import OwnDomains
from switchboard.proxy.loop import own_passes, routing_hash
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.lazy import lazy
from switchboard.sip.message import Message, parse_message
from switchboard.sip.respond import received_via, response_address
from switchboard.sip.uri import SipUri
from switchboard.transaction.commands import Fields, Peer, Reader

_CREDENTIALS = (Header.PROXY_AUTHORIZATION, Header.AUTHORIZATION)


class Received:
    """A request, where it came from, and our view of its sender.

    `source.local` is the address of ours at which it arrived. `ParseError` if its top Via is malformed.
    """

    def __init__(self, message: Message, source: Peer, own: OwnDomains) -> None:
        self.message = message
        self.method = message.method
        self.source = source
        self.via = message.via
        self._own = own

    def saved(self) -> Fields:
        """What `restore` makes this of again."""
        return self.message.raw, self.source

    @classmethod
    def restore(cls, saved: Fields, own: OwnDomains) -> "Received":
        """Return what `saved` was asked of."""
        raw, source = saved
        return cls(parse_message(raw), Peer(*source), own)

    @lazy
    def completed_via(self) -> bytes:
        """The top Via value, with where the request came from (§18.2.1)."""
        return received_via(self.message, self.source.hop)

    @lazy
    def is_in_dialog(self) -> bool:
        """Whether To bears a tag (RFC 3261 §12.2)."""
        return bool(self.message.to_tag)

    @lazy
    def routing_hash(self) -> str:
        return routing_hash(self.message)

    @lazy
    def passes(self) -> list[str]:
        """The branches of its earlier passes through this proxy."""
        return own_passes(self.message, self._own)

    @lazy
    def begins_call(self) -> bool:
        """Whether this is the INVITE that a record of the journal begins with."""
        return self.method == "INVITE" and not self.is_in_dialog and not self.passes

    @lazy
    def caller_uri(self) -> str:
        """The URI in From, "" if the field is malformed."""
        try:
            return self.message.from_address.uri
        except ParseError:
            return ""

    @lazy
    def caller(self) -> str:
        """The user of ours whom From names, "" if the sender is none."""
        try:
            uri = SipUri.parse(self.caller_uri)
        except ParseError:
            return ""
        return uri.username if self._own.owns(uri) else ""

    @lazy
    def own_credentials(self) -> list[tuple[int, int]]:
        """Start and end of the lines with credentials for our realm: nobody's business but ours (§22.3)."""
        realm = self._own.realm
        if not realm:
            return []
        shown = [header for header in _CREDENTIALS if header in self.message.numbers]
        return [line for header in shown for line in self._lines_for(header, realm)]

    def _lines_for(self, header: Header, realm: str) -> Iterator[tuple[int, int]]:
        pairs = zip(self.message.lines(header), self.message.all(header), strict=True)
        return (line for line, value in pairs if realm_of(value) == realm)

    @property
    def parties(self) -> tuple[str, str]:
        """Who calls whom, for the journal: addresses-of-record, without parameters."""
        return _address_of_record(self.caller_uri), _address_of_record(self.message.uri)

    def event(self, kind: str, at: float, *details: object) -> CallEvent:
        """What happened to the call of this request, for the journal. `at`: epoch s."""
        return CallEvent(kind, self.message.call_id, self.message.from_tag, at, details)

    @property
    def reader(self) -> Reader:
        """Who reads the responses."""
        return Reader(self.caller, self.message.get(Header.ACCEPT_LANGUAGE) or "")

    @property
    def reply_to(self) -> Peer:
        """Where the responses go (§18.2.2); `ParseError` if the Via does not tell."""
        return Peer(*response_address(self.message, self.source.hop), self.source.local)


def _address_of_record(text: str) -> str:
    try:
        uri = SipUri.parse(text)
    except ParseError:
        return text
    if uri.password is not None or uri.params or uri.headers:
        uri = uri._replace(password=None, params=(), headers="")
    return str(uri)
