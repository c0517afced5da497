"""A request on its way through the proxy, and what is known of it before it is routed."""

from collections.abc import Iterator

from switchboard.auth.digest import realm_of
from switchboard.core.commands import CallEvent, Fields, Reader
from switchboard.core.domains import OwnDomains
from switchboard.core.loop_detection import own_passes, routing_hash
from switchboard.sip.dispatch import server_key
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import Flow
from switchboard.sip.headers import Header
from switchboard.sip.message import Message, parse_message
from switchboard.sip.respond import received_via, response_address
from switchboard.sip.uri import parse_uri

_new = tuple.__new__
_CREDENTIALS = (Header.PROXY_AUTHORIZATION, Header.AUTHORIZATION)


class IncomingRequest:
    """A request, where it came from, and our view of its sender.

    `source.local` is the address of ours at which it arrived. `ParseError` if its top Via is malformed.
    `is_in_dialog`: To bears a tag (§12.2). `key`: of its server transaction.
    """

    __slots__ = (
        "_callee", "_caller", "_completed_via", "_own", "_passes", "_routing_hash", "is_in_dialog", "key", "message",
        "method", "source", "via",
    )  # fmt: skip

    def __init__(self, message: Message, source: Flow, own: OwnDomains) -> None:
        self.message = message
        self.method = message.method
        self.source = source
        self.via = message.via
        self.key = server_key(message, self.via)
        self.is_in_dialog = bool(message.to_tag)
        self._own = own
        self._completed_via: bytes | None = None
        self._routing_hash: str | None = None
        self._caller: str | None = None
        self._callee: str | None = None
        self._passes: list[str] | None = None

    def saved(self) -> Fields:
        """What `restore` makes this of again."""
        return self.message.raw, self.source.pack()

    @classmethod
    def restore(cls, saved: Fields, own: OwnDomains) -> "IncomingRequest":
        """Return what `saved` was asked of."""
        raw, source = saved
        return cls(parse_message(raw), Flow.unpack(source), own)

    @property
    def completed_via(self) -> bytes:
        """The top Via value, with where the request came from (§18.2.1)."""
        if self._completed_via is None:
            self._completed_via = received_via(self.message, self.source.hop)
        return self._completed_via

    @property
    def routing_hash(self) -> str:
        if self._routing_hash is None:
            self._routing_hash = routing_hash(self.message)
        return self._routing_hash

    @property
    def passes(self) -> list[str]:
        """The branches of its earlier passes through this proxy."""
        if self._passes is None:
            self._passes = own_passes(self.message, self._own)
        return self._passes

    @property
    def begins_call(self) -> bool:
        """Whether this is the INVITE that a record of the journal begins with."""
        return self.method == "INVITE" and not self.is_in_dialog and not self.passes

    @property
    def caller(self) -> str:
        """The user of ours whom From names, "" if the sender is none."""
        if self._caller is None:
            self._caller = user_of(self.message.from_uri, self._own)
        return self._caller

    @property
    def callee(self) -> str:
        """The user of ours whom To names, "" if that is none."""
        if self._callee is None:
            self._callee = user_of(self.message.to_uri, self._own)
        return self._callee

    @property
    def own(self) -> OwnDomains:
        """What is ours."""
        return self._own

    @property
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
        return address_of_record(self.message.from_uri), address_of_record(self.message.uri)

    def event(self, kind: str, at: float, *details: object) -> CallEvent:
        """What happened to the call of this request, for the journal. `at`: epoch s."""
        return _new(CallEvent, (kind, self.message.call_id, self.message.from_tag, at, details))

    @property
    def reader(self) -> Reader:
        """The reader of the responses."""
        return _new(Reader, (self.caller, self.message.get(Header.ACCEPT_LANGUAGE) or ""))

    @property
    def reply_to(self) -> Flow:
        """Where the responses go (§18.2.2); `ParseError` if the Via does not tell."""
        return self.source.towards(response_address(self.message, self.source.hop))


def user_of(text: str, own: OwnDomains) -> str:
    """Return the user of ours whom a URI names, "" if it names none."""
    try:
        uri = parse_uri(text)
    except ParseError:
        return ""
    return uri.username if own.owns(uri) else ""


def address_of_record(text: str) -> str:
    """Return the address-of-record that a URI names, the text itself if it is none."""
    try:
        return parse_uri(text).address_of_record
    except ParseError:
        return text
