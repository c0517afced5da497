"""Which worker handles a message: the same call always meets the same router.

Requests go by their Call-ID. Responses carry the router's number in the branch that it made, so they
find it even while the number of routers changes.
"""

import re
from collections.abc import Callable
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

_OWN_BRANCH = re.compile(rb"branch[ \t]*=[ \t]*" + BRANCH_PREFIX.encode() + rb"([0-9]{1,3})\.")


class Dispatcher:
    """Chooses among `routers` routers and the registrar; `owns` tells our own URIs."""

    def __init__(self, routers: int, owns: Callable[[SipUri], bool]) -> None:
        self.routers = routers
        self.owns = owns

    def target(self, raw: bytes, index: bytes) -> int:
        """Return the router's number, or `REGISTRAR`, for the scanned message."""
        message = Message(raw, index)
        if message.status:
            start, end = message.top_via_span
            if match := _OWN_BRANCH.search(raw, start, end):
                return int(match[1]) % self.routers
        elif raw.startswith(b"REGISTER ") and self._is_ours(message):
            return REGISTRAR
        return crc32(message.value(Header.CALL_ID) or b"") % self.routers

    def _is_ours(self, request: Message) -> bool:
        try:
            routes = [SipUri.parse(NameAddr.parse(value).uri) for value in request.values(Header.ROUTE)]
            return all(map(self.owns, (SipUri.parse(request.uri), *routes)))
        except ParseError:
            return False
