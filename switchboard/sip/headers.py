"""The header fields that the switchboard looks at, and their compact forms (RFC 3261 §7.3.3, §20).

A header is known by a small number: the offset index of a message carries it, so that a look-up
compares integers, not names. 0 stands for every other field. The numbers travel between processes:
a new field gets the next one, and none is ever given a new meaning.
"""

from enum import IntEnum
from typing import Final


class Header(IntEnum):
    """Number of a header field in the offset index."""

    OTHER = 0
    VIA = 1
    FROM = 2
    TO = 3
    CALL_ID = 4
    CSEQ = 5
    CONTACT = 6
    MAX_FORWARDS = 7
    ROUTE = 8
    RECORD_ROUTE = 9
    CONTENT_LENGTH = 10
    EXPIRES = 11
    PROXY_REQUIRE = 12
    REQUIRE = 13
    SUPPORTED = 14
    PATH = 15
    ACCEPT_LANGUAGE = 16
    USER_AGENT = 17
    WWW_AUTHENTICATE = 18
    PROXY_AUTHENTICATE = 19
    TIMESTAMP = 20
    EVENT = 21
    PROXY_AUTHORIZATION = 22
    AUTHORIZATION = 23
    CONTENT_TYPE = 24
    P_ASSERTED_IDENTITY = 25
    P_PREFERRED_IDENTITY = 26
    REMOTE_PARTY_ID = 27
    ALERT_INFO = 28
    CALL_INFO = 29
    MAX_BREADTH = 30
    SESSION_EXPIRES = 31


COMPACT: Final = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "k": "supported",
    "o": "event",
    "c": "content-type",
    "x": "session-expires",
}

HEADER_BY_NAME: Final = {
    header.name.lower().replace("_", "-"): header for header in Header if header is not Header.OTHER
}

_ON_THE_WIRE = {name.encode(): int(header) for name, header in HEADER_BY_NAME.items()}
_ON_THE_WIRE |= {short.encode(): int(HEADER_BY_NAME[long]) for short, long in COMPACT.items()}

NUMBER_BY_WIRE_NAME: Final = dict(_ON_THE_WIRE)
"""Lower-case name as bytes, long or compact -> number."""
