"""Which worker handles a message: the same call always meets the same router.

Requests go by their Call-ID. Responses carry the router's number in the branch that it made, so they
find it even while the number of routers changes.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final
from zlib import crc32

from switchboard.sip.address import NameAddr
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.uri import SipUri

REGISTRAR: Final = -1
BRANCH_COOKIE: Final = "z9hG4bK"
BRANCH_PREFIX: Final = BRANCH_COOKIE + "sb"

_KNOWN = 1024
_KNOWN_LENGTH = 256  # octets of a URI that is remembered
_OWN_BRANCH = re.compile(rb"branch[ \t]*=[ \t]*" + BRANCH_PREFIX.encode() + rb"([0-9]{1,3})\.")


class Dispatcher:
    """Chooses among `routers` routers and the registrar; `owns` tells our own URIs."""

    def __init__(self, routers: int, owns: Callable[[SipUri], bool]) -> None:
        self.routers = routers
        self.own(owns)

    def own(self, owns: Callable[[SipUri], bool]) -> None:
        """Tell our own URIs by `owns` from now on."""
        self._owns = owns
        self._known: dict[str, bool] = {}

    def target(self, raw: bytes, index: bytes) -> int:
        """Return the router's number, or `REGISTRAR`, for the scanned message."""
        message = Message(raw, index)
        if message.status:
            start, end = message.top_via_span
            if match := _OWN_BRANCH.search(raw, start, end):
                return int(match[1]) % self.routers
        elif raw.startswith(b"REGISTER ") and self.is_ours(message):
            return REGISTRAR
        return crc32(message.value(Header.CALL_ID) or b"") % self.routers

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
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[uri] = owns
        return owns


def _routes(request: Message) -> Iterator[str]:
    """The URIs in Route. ParseError."""
    return (NameAddr.parse(value).uri for value in request.values(Header.ROUTE))
