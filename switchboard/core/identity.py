"""What only trusted senders may say of who calls, and how a phone is to ring (RFC 3325 §5, RFC 7315, 3261 §20.4).

Phones show an asserted identity as the caller's, and answer by themselves if they are told so. Both are taken out
of what comes from elsewhere than a trusted network, in requests as in responses.
"""

import re
from typing import Final

from switchboard.sip.headers import Header
from switchboard.sip.message import Message

Lines = list[tuple[int, int]]

_FIRST: Final = int(Header.P_ASSERTED_IDENTITY)
_LAST: Final = int(Header.CALL_INFO)
_IDENTITIES: Final = (Header.P_ASSERTED_IDENTITY, Header.P_PREFERRED_IDENTITY, Header.REMOTE_PARTY_ID)
_RINGING: Final = (Header.ALERT_INFO, Header.CALL_INFO)
_ANSWERS_ITSELF: Final = re.compile(rb"answer-after|auto[ -]?answer", re.IGNORECASE)


def unproved_lines(message: Message) -> Lines:
    """Start and end of the lines that are believed of trusted senders only."""
    for number in message.numbers:
        if _FIRST <= number <= _LAST:
            return _lines_of(message)
    return []


def _lines_of(message: Message) -> Lines:
    lines = [line for header in _IDENTITIES for line in message.lines(header)]
    ringing = [line for header in _RINGING for line in message.lines(header)]
    return lines + [(start, end) for start, end in ringing if _ANSWERS_ITSELF.search(message.raw, start, end)]
