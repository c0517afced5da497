"""How long a session lasts that nobody refreshes (RFC 4028)."""

import re

from switchboard.sip.headers import Header
from switchboard.sip.message import Message

LEAST_S = 90
"""No session timer is shorter (§4)."""
_SESSION_EXPIRES = bytes((Header.SESSION_EXPIRES,))
_DELTA_SECONDS = re.compile(r"[0-9]{1,9}(?![0-9])")


def session_expires_s(response: Message) -> int:
    """What Session-Expires in a 2xx says, at least LEAST_S; 0 if there is none, or no number in it."""
    if _SESSION_EXPIRES not in response.numbers:
        return 0
    match = _DELTA_SECONDS.match(response.get(Header.SESSION_EXPIRES) or "")
    return max(LEAST_S, int(match[0])) if match else 0
