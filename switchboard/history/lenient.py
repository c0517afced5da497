"""A message taken apart for people to read: every message is accepted, however malformed. It is never forwarded."""

import re
from dataclasses import dataclass, field
from functools import cached_property

from switchboard.core.gruu import PARAM
from switchboard.history.media import Stream, media_host_of, streams_of
from switchboard.history.seen import Direction, Seen
from switchboard.history.summary import user_of
from switchboard.sip.address import NameAddr, split_values
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import COMPACT
from switchboard.sip.uri import SipUri

_FOLD = re.compile(r"\r?\n[ \t]+")
_BRANCH = re.compile(r";\s*branch\s*=\s*([^;,\s]+)", re.IGNORECASE)
_TAG = re.compile(r";\s*tag\s*=\s*([^;,\s]+)", re.IGNORECASE)
_STATUS_LINE = re.compile(r"SIP/2\.0[ \t]+([1-6][0-9][0-9])[ \t]*(.*)", re.IGNORECASE)


@dataclass(frozen=True)
class LenientMessage:
    """What a message says. Text is decoded for reading; what is missing is "" or 0."""

    seen: Seen
    start_line: str
    fields: list[tuple[str, str]]
    """(name as written, value) in order."""
    body: bytes
    _by_name: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, seen: Seen) -> "LenientMessage":
        """Take a message apart."""
        head, _, body = seen.raw.partition(b"\r\n\r\n")
        start_line, *lines = _FOLD.sub(" ", head.decode("utf-8", "replace")).split("\r\n")
        fields = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        parsed = cls(seen, start_line, fields, body)
        for name, value in fields:
            parsed._by_name.setdefault(long_name(name), []).append(value)
        return parsed

    def all(self, name: str) -> list[str]:
        """The values of all fields of a name in lower case, as they stand."""
        return self._by_name.get(name, [])

    def first(self, name: str) -> str:
        """The first of them."""
        return next(iter(self.all(name)), "")

    @cached_property
    def status(self) -> int:
        """0 of a request."""
        match = _STATUS_LINE.match(self.start_line)
        return int(match[1]) if match else 0

    @property
    def is_request(self) -> bool:
        return not self.status

    @cached_property
    def phrase(self) -> str:
        """The reason phrase of a response."""
        match = _STATUS_LINE.match(self.start_line)
        return match[2].strip() if match else ""

    @cached_property
    def method(self) -> str:
        """Of a response the one that its CSeq names."""
        words = self.first("cseq").split() if self.status else self.start_line.split()[:1]
        return words[-1] if words else ""

    @property
    def cseq(self) -> str:
        return self.first("cseq")

    @property
    def uri(self) -> str:
        """The Request-URI."""
        words = self.start_line.split()
        return words[1] if self.is_request and len(words) > 1 else ""

    @cached_property
    def branches(self) -> list[str]:
        """The branches of all Via values, the topmost first."""
        vias = [via for line in self.all("via") for via in _values(line)]
        return [match[1] if (match := _BRANCH.search(via)) else "" for via in vias]

    @property
    def branch(self) -> str:
        return self.branches[0] if self.branches else ""

    @property
    def caller(self) -> str:
        """The URI in From."""
        return address_uri(self.first("from"))

    @property
    def callee(self) -> str:
        """The URI in To."""
        return address_uri(self.first("to"))

    @cached_property
    def from_tag(self) -> str:
        """The tag in From."""
        return _tag(self.first("from"))

    @cached_property
    def to_tag(self) -> str:
        """The tag in To."""
        return _tag(self.first("to"))

    @property
    def is_initial(self) -> bool:
        """Whether a request begins something: its To has no tag."""
        return self.is_request and not self.to_tag

    @property
    def contacts(self) -> list[str]:
        """The URIs of all contacts, in order."""
        return [address_uri(each) for line in self.all("contact") for each in _values(line)]

    @property
    def contact_host(self) -> str:
        """The host of the first Contact, without brackets; "" if it is a GRUU, which leads through its switchboard."""
        contacts = self.contacts
        return host_of(contacts[0]) if contacts and not is_gruu(contacts[0]) else ""

    @property
    def media_host(self) -> str:
        """Where the media of its session description are to go."""
        return media_host_of(self.body)

    @cached_property
    def audio(self) -> list[Stream]:
        """The audio streams in its session description."""
        return [each for each in streams_of(self.body) if each.kind == "audio"]

    @property
    def codecs(self) -> list[str]:
        """The names of the codecs in its session description, in order."""
        return list(dict.fromkeys(name for each in streams_of(self.body) for name in each.codecs))

    @property
    def comes_in(self) -> bool:
        return self.seen.direction is Direction.IN

    @property
    def goes_out(self) -> bool:
        return self.seen.direction is Direction.OUT


def long_name(name: str) -> str:
    """A field's name in lower case, written out."""
    lowered = name.lower()
    return COMPACT.get(lowered, lowered)


def address_uri(value: str) -> str:
    """The URI of a name-addr; "" if it is malformed."""
    try:
        return NameAddr.parse(value).uri
    except ParseError:
        return ""


def host_of(uri: str) -> str:
    """The host of a SIP URI, without brackets; "" if it is none."""
    try:
        return SipUri.parse(uri).address
    except ParseError:
        return ""


def is_gruu(uri: str) -> bool:
    """Whether it names an instance of a user, and no host where that is (RFC 5627 §3)."""
    try:
        return SipUri.parse(uri).param(PARAM) is not None
    except ParseError:
        return False


def short(uri: str) -> str:
    """How people call who has a URI: its user, else its host, else the text."""
    return user_of(uri) or host_of(uri) or uri


def shown_status(response: LenientMessage) -> str:
    """Status and phrase."""
    return f"{response.status} {response.phrase}"


def _tag(value: str) -> str:
    match = _TAG.search(value.rpartition(">")[2])
    return match[1] if match else ""


def _values(line: str) -> list[str]:
    try:
        return split_values(line) if line else []
    except ParseError:
        return [line]
