"""The kind of a datagram, the worker that handles it, and the key of its transaction.

Most datagrams at the SIP port are messages, some only keep a path open. Empty lines before a start line mean nothing
(RFC 3261 §7.5); CRLFCRLF is a ping that wants CRLF as its pong (RFC 5626 §3.5.1, §4.4.1); phones also send a few
zero bytes; STUN (RFC 8489) shares the port (RFC 5626 §4.4.2).

All messages of a call go to the same router. The Call-ID chooses the router of a request (`shares.py`). A response has
the router's number in the branch that the router made, so it finds the router even while the set of routers changes;
requests then find the router that holds their call. In the router, the branch chooses the transaction (RFC 3261
§17.1.3, §17.2.3). An ICMP error quotes a request of ours, cut anywhere, with that branch (RFC 792, RFC 1812, RFC
4443).
"""

import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from enum import Enum, auto
from typing import Final, NamedTuple

from switchboard.bounded import Cache
from switchboard.sip.address import NameAddr
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.shares import SLOTS, call_id_sum, record_sum, shares
from switchboard.sip.uri import SipUri
from switchboard.sip.via import Via

PING: Final = b"\r\n\r\n"
PONG: Final = b"\r\n"

_BLANK: Final = b"\r\n\0 \t"
_STUN_HEADER_BYTES: Final = 20
_STUN_COOKIE: Final = b"\x21\x12\xa4\x42"
_STUN_BINDING_REQUEST: Final = b"\0\1"  # of RFC 3489, without the cookie
_REQUEST_LINE: Final = re.compile(rb"(?!SIP/)[^\r\n]*[ \t]SIP/[^ \t\r\n]*[ \t]*(?:[\r\n]|\Z)", re.IGNORECASE)


class DatagramKind(Enum):
    """What to do with a datagram: scan a MESSAGE, answer a PING, take the others silently."""

    MESSAGE = auto()
    PING = auto()
    KEEP_ALIVE = auto()
    STUN = auto()


def classify(data: bytes) -> DatagramKind:
    """Return the kind of `data` (untrusted); MESSAGE if it is none of the others."""
    if data[:1].isalpha():
        return DatagramKind.MESSAGE
    if data == PING:
        return DatagramKind.PING
    if not data.strip(_BLANK):
        return DatagramKind.KEEP_ALIVE
    if len(data) >= _STUN_HEADER_BYTES and (data[4:8] == _STUN_COOKIE or data[:2] == _STUN_BINDING_REQUEST):
        return DatagramKind.STUN
    return DatagramKind.MESSAGE


def strip_empty_lines(data: bytes) -> bytes:
    """Return `data` from its start line on (RFC 3261 §7.5)."""
    return data.lstrip(b"\r\n")


def looks_like_request(raw: bytes) -> bool:
    """Whether bytes that could not be scanned were meant as a request, so that 400 is due, not silence."""
    return _REQUEST_LINE.match(raw) is not None


REGISTRAR: Final = -1
"""The number of the first registrar among the peers of the edge; the next ones are below."""
BRANCH_COOKIE: Final = "z9hG4bK"
BRANCH_PREFIX: Final = BRANCH_COOKIE + "sb"
MOST_NUMBERS: Final = 1000
"""A branch of ours has room for three digits."""
NO_WAY: Final = -1

_KNOWN = 1024
_KNOWN_LENGTH = 256  # octets of a URI that is remembered
_OWN_BRANCH = re.compile(rb"branch[ \t]*=[ \t]*" + BRANCH_PREFIX.encode() + rb"([0-9]{1,3})\.")


class Dispatcher:
    """Chooses among the `routers` that take new calls, by number, and registrars; `owns` tells our own URIs.

    `leaving`: the numbers of those that take none and finish what they have. `registrars`: how many there are.
    """

    def __init__(
        self,
        routers: Iterable[int],
        owns: Callable[[SipUri], bool],
        leaving: Iterable[int] = (),
        registrars: int = 1,
    ) -> None:
        self.held: dict[int, int] = {}
        """Routers that hold calls which would go to another one, by `call_id_sum`."""
        self.table = bytearray(SLOTS)
        """Who has each slot (`shares.py`)."""
        self.ways = array("h", [NO_WAY]) * MOST_NUMBERS
        """Who gets the responses to what a router has sent, by its number: that router, another one in its place, or
        NO_WAY: who has the call by its Call-ID."""
        self.routers: frozenset[int] = frozenset()
        self.serve(routers)
        self.registrars = registrars
        self.registrar_table = bytearray(SLOTS)
        """Which registrar has each slot."""
        self.let_register(range(registrars))
        for number in {*self.routers, *leaving}:
            self.ways[number] = number
        self.own(owns)

    def serve(self, routers: Iterable[int]) -> None:
        """Give new calls to these from now on, at least one."""
        self.routers = frozenset(routers)
        self.table[:] = shares(self.routers)

    def let_register(self, registrars: Iterable[int]) -> None:
        """Give REGISTERs to these from now on, at least one."""
        self.registrar_table[:] = shares(frozenset(registrars))

    def own(self, owns: Callable[[SipUri], bool]) -> None:
        """Tell our own URIs by `owns` from now on."""
        self._owns = owns
        self._known: Cache[str, bool] = Cache(_KNOWN)

    def target(self, raw: bytes, index: bytes) -> int:
        """Return the router's number, or `REGISTRAR` less that of the registrar, for the scanned message."""
        message = Message(raw, index)
        if message.status:
            start, end = message.top_via_span
            if match := _OWN_BRANCH.search(raw, start, end):
                way = self.ways[int(match[1])]
                if way != NO_WAY:
                    return way
        elif raw.startswith(b"REGISTER ") and self.is_ours(message):
            return REGISTRAR if self.registrars == 1 else self._registrar_of(message)
        sum_ = call_id_sum(message.value(Header.CALL_ID) or b"")
        return self.held.get(sum_, self.table[sum_ % SLOTS])

    def _registrar_of(self, message: Message) -> int:
        sum_ = record_sum(message.value(Header.TO) or b"")
        return REGISTRAR - self.registrar_table[sum_ % SLOTS]

    def is_ours(self, request: Message) -> bool:
        """Whether a scanned REGISTER is for our own domain, and goes nowhere else first."""
        if Header.ROUTE not in request.numbers:
            return self.owns(request.uri)
        try:
            return all(map(self.owns, (request.uri, *_routes(request))))
        except ParseError:
            return False

    def owns(self, uri: str) -> bool:
        """Whether the text (untrusted) is a URI of ours. Answers are remembered: phones register often."""
        known = self._known.get(uri)
        return known if known is not None else self._learn(uri)

    def _learn(self, uri: str) -> bool:
        try:
            owns = self._owns(SipUri.parse(uri))
        except ParseError:
            owns = False
        if len(uri) <= _KNOWN_LENGTH:
            self._known.keep(uri, owns)
        return owns


def _routes(request: Message) -> Iterator[str]:
    """The URIs in Route. ParseError."""
    return (NameAddr.parse(value).uri for value in request.values(Header.ROUTE))


ServerKey = tuple[str | int, ...]
ClientKey = tuple[str, str]

_COOKIE = BRANCH_COOKIE.lower()


def server_key(request: Message, via: Via, method: str = "") -> ServerKey:
    """Return the key of the server transaction for `request`, whose top Via is `via`.

    `method` overrides the request's: a CANCEL looks for the INVITE (§9.2). An ACK always does.
    A branch without the magic cookie comes from an RFC 2543 element: then the fields of §17.2.3 decide;
    so they do for a cookie without anything behind it (RFC 4475 §3.2.1).
    """
    method = method or ("INVITE" if request.method == "ACK" else request.method)
    branch = via.branch.lower()
    if branch.startswith(_COOKIE) and branch != _COOKIE:
        return branch, via.host, via.port or 5060, method
    sequence = request.cseq[0]
    return request.uri, request.from_tag, request.call_id, sequence, request.top_via, method


def client_key(branch: str, method: str) -> ClientKey:
    """Return the key of the client transaction that sent `method` with our `branch`."""
    return branch, method


_START = re.compile(rb"([!-.0-~]+) [^\r\n]+ SIP/2\.0\r?\n")
_OWN_VIA = re.compile(
    rb"\nVia: SIP/2\.0/[A-Z]{2,3} [^\r\n;]+(?:;rport)?;branch=("
    + BRANCH_PREFIX.encode()
    + rb"([0-9]{1,3})\.[!-~]+)\r"
)


class Quoted(NamedTuple):
    """The method, our branch, and the number of the router that made it."""

    method: str
    branch: str
    router: int


def parse_quoted(sent: bytes) -> Quoted | None:
    """Return what `sent` (untrusted) is; None if it is no request of ours, or ends before our Via does.

    Our Via is on top and as we write it, for we wrote it.
    """
    start = _START.match(sent)
    via = _OWN_VIA.search(sent, start.end() - 1) if start else None
    if not start or not via:
        return None
    return Quoted(start[1].decode("ascii"), via[1].decode("ascii"), int(via[2]))
