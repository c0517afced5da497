"""A text that is kept: what of a MESSAGE (RFC 3428) is delivered later, and what tells it from others.

The request leaves as it came: From, To, Call-ID, CSeq and the body are the sender's, so reports on it (RFC 5438) and
what a phone knows of it already still fit. Via, Route and credentials were for the way here and stay here. A Date says
when it was sent, unless the sender did.
"""

from collections.abc import Iterable, Iterator
from email.parser import BytesHeaderParser
from email.utils import formatdate
from hashlib import sha256
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.scan import BODY_END

PLACE: Final = "here.invalid"
"""Where the user is, in the Request-URI; whoever sends it writes the contact in its place."""
_OF_THE_WAY: Final = (
    Header.VIA, Header.ROUTE, Header.RECORD_ROUTE, Header.MAX_FORWARDS, Header.MAX_BREADTH, Header.PROXY_REQUIRE,
    Header.PROXY_AUTHORIZATION, Header.AUTHORIZATION,
)  # fmt: skip
_MAX_FORWARDS: Final = b"Max-Forwards: 70\r\n"
_PASSING: Final = frozenset({"application/im-iscomposing+xml"})
"""What says something of this moment only (RFC 3994)."""
_LONGEST_NUMBER: Final = 10


class Kept(NamedTuple):
    """A record of the store (`storage/records.py`). `key`: the same for a MESSAGE that comes again.

    `sender` is the URI in From. It was sent at `sent_at`, and is kept until `ends_at` (epoch s). `raw`: what is to be
    sent, without a Via.
    """

    number: int
    key: str
    user: str
    sender: str
    call_id: str
    is_proved: int
    sent_at: float
    ends_at: float
    raw: bytes
    changed_at: float

    @property
    def is_removed(self) -> bool:
        """Whether only its key is left, for a while."""
        return not self.raw

    def __iter__(self) -> Iterator[Any]:
        return tuple.__iter__(self)


def key_of(message: Message, user: str) -> str:
    """What a MESSAGE for the user is known by, however often it comes (RFC 3261 §8.2.2.2)."""
    parts = (message.call_id, message.from_tag, str(message.cseq[0]), user)
    return sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def is_worth_keeping(message: Message) -> bool:
    """Whether a MESSAGE says anything later: not if somebody is typing, nor if it is over at once."""
    return _kind(message) not in _PASSING and _lasts_s(message) != 0


def _kind(message: Message) -> str:
    """The content's media type, of what is in an envelope (CPIM, RFC 3862) that of the content."""
    kind = (message.get(Header.CONTENT_TYPE) or "").partition(";")[0].strip().lower()
    if kind != "message/cpim":
        return kind
    return BytesHeaderParser().parsebytes(message.body.partition(b"\r\n\r\n")[2]).get_content_type()


def make_kept(message: Message, user: str, is_proved: bool, at: float, keep_s: float) -> Kept:
    """Return what is kept of a MESSAGE for the user, as long as its Expires says, and `keep_s` at most.

    ParseError if it cannot be delivered.
    """
    if _shown(user) != user:
        raise ParseError("Malformed User", status=480)
    sender, call_id = _shown(message.from_address.uri), _shown(message.call_id)
    lasts_s = _lasts_s(message)
    until = at + (keep_s if lasts_s is None else min(keep_s, lasts_s))
    raw = _to_deliver(message, user, at)
    return Kept(0, key_of(message, user), user, sender, call_id, int(is_proved), at, until, raw, at)


def _lasts_s(message: Message) -> int | None:
    text = (message.get(Header.EXPIRES) or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else None


def _to_deliver(message: Message, user: str, at: float) -> bytes:
    first = f"{message.method} sip:{quote(user, safe='')}@{PLACE} SIP/2.0\r\n".encode()
    date = b"" if message.get("date") else f"Date: {formatdate(at, usegmt=True)}\r\n".encode()
    return first + _MAX_FORWARDS + date + _without(message, _OF_THE_WAY)


def _without(message: Message, headers: Iterable[Header]) -> bytes:
    """Header fields, but these, and body."""
    left, at = b"", message.headers_start
    for start, end in sorted(line for header in headers for line in message.lines(header)):
        left += message.raw[at:start]
        at = end
    return left + message.raw[at : message.index[BODY_END]]


def _shown(text: str) -> str:
    """For people and the store: octets that are no text are replaced."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
