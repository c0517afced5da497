"""Our branch parameters, and the loops that they reveal (RFC 3261 §16.6 step 8, RFC 5393 §4.2).

Theory. Each pass through a proxy leaves a Via in the request. Our branch in it ends with a hash over everything that
decides the routing. If a request arrives with a Via of ours and the same hash, it would go the same way again: a
loop. If the hash differs, it has been changed on its way and goes elsewhere: a spiral, which is allowed.

The hash needs no key. Whoever makes up a Via of ours, or a request of the same hash, ends this request of his only;
what leads it elsewhere each time is no loop, whatever the hash, and is bounded otherwise (Max-Breadth, Max-Forwards).
And whoever answers in another's place has to know Call-ID and tags, besides the token: that is somebody whom the call
has reached, who may answer it anyway.

A branch is `z9hG4bKsb`, the router's number, a token that no other transaction has, and that hash. The numbers that
a router gives out must never repeat: those of branches, tags, and saved transactions.
"""

from typing import Protocol
from zlib import crc32

from switchboard.core.domains import OwnDomains
from switchboard.sip.dispatch import BRANCH_PREFIX
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.via import Via


class Numbering(Protocol):
    """How many of each were given out."""

    branches: int
    tags: int
    saved: int


class Numbers:
    """Counts in Python; where there is an engine, that counts."""

    __slots__ = ("branches", "tags", "saved")

    def __init__(self) -> None:
        self.branches = 0
        self.tags = 0
        self.saved = 0


_PREFIX = BRANCH_PREFIX.encode()
_ROUTING_FIELDS = (Header.ROUTE, Header.PROXY_REQUIRE, Header.PROXY_AUTHORIZATION)


class Branches:
    """Makes the branches of router number `instance`; `incarnation` differs at each of its starts."""

    def __init__(self, instance: int, incarnation: str) -> None:
        self.router = f"{BRANCH_PREFIX}{instance}."
        self.prefix = f"{self.router}{incarnation}"
        self.numbers: Numbering = Numbers()

    def next(self, routing_hash: str) -> str:
        """Return the branch of a new client transaction."""
        self.numbers.branches += 1
        return f"{self.prefix}{self.numbers.branches:x}.{routing_hash}"

    def stateless(self, via: Via, routing_hash: str) -> str:
        """Return the branch of an ACK that is passed on: the same for its retransmissions (§16.11).

        Also after a restart: it does not depend on the incarnation.
        """
        return f"{self.router}-{crc32(str(via).encode('utf-8', 'surrogateescape')):x}.{routing_hash}"


def routing_hash(request: Message) -> str:
    """Return the hash over what decides where `request` goes, as it was received."""
    number = str(request.cseq[0])
    fields = [request.uri, request.from_tag, request.to_tag, request.call_id, number]
    for header in _ROUTING_FIELDS:
        if header in request.numbers:
            fields += request.all(header)
    text = "\n".join(fields)
    return f"{crc32(text.encode('utf-8', 'surrogateescape')):08x}"


def own_passes(request: Message, own: OwnDomains) -> list[str]:
    """Return the branches of the earlier passes of `request` through this proxy; [] if it is new here."""
    if _PREFIX not in request.raw[: request.headers_end]:
        return []
    return [via.branch for value in request.values(Header.VIA) if (via := _own_via(value, own))]


def _own_via(value: str, own: OwnDomains) -> Via | None:
    try:
        via = Via.parse(value)
    except ParseError:
        return None
    ours = via.branch.startswith(BRANCH_PREFIX) and own.is_listening_at(via.host, via.port)
    return via if ours else None
