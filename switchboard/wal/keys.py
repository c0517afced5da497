"""The keys of a router's log, by their first byte; those of the units are in `unit_log.py`."""

import struct
from typing import Final

BOOT: Final = b"B"
SERIES: Final = b"S"
EVENT: Final = b"E"
NONCE: Final = b"N"
_EVENT = struct.Struct(">cQ")


def event_key(number: int) -> bytes:
    """Return the key of the call event `number`."""
    return _EVENT.pack(EVENT, number)


def event_number(key: bytes) -> int:
    """Return the number in that key."""
    number: int = _EVENT.unpack(key)[1]
    return number
