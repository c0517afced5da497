"""Which items of a frame concern a share of the calls: whole calls, by their Call-ID (docs/BUS.md, Taps)."""

import re
from typing import Any
from zlib import crc32

from switchboard.bus import frames

SMALLEST = 10
"""As a power of two: one call of 1024."""
_CALL_ID = re.compile(rb"\n(?:[Cc][Aa][Ll][Ll]-[Ii][Dd]|[Ii])[ \t]*:[ \t]*([^\r\n]*)")
"""Without IGNORECASE, with which each octet would be tried."""


def call_id_on_wire(message: bytes) -> bytes:
    """The Call-ID of a SIP message (untrusted) as it stands; b"" if there is none."""
    match = _CALL_ID.search(message)
    return match[1].strip(b" \t") if match else b""


def pick_in_python(frame: bytes, halvings: int) -> bytes:
    """Return the frame with those items only whose calls are in the share, one call of 2 to the `halvings`.

    b"" if there are none. What has no Call-ID is in no share but the whole. FrameError.
    """
    if not halvings:
        return frame
    subject, items = frames.unpack(frame)
    picked = [item for item in items if isinstance(item, list) and _is_in_share(item, halvings)]
    return frames.pack(subject, picked) if picked else b""


def _is_in_share(item: list[Any], halvings: int) -> bool:
    """The higher bits of the CRC decide, for its remainder chooses the router."""
    message = next((value for value in reversed(item) if isinstance(value, bytes)), b"")
    call_id = call_id_on_wire(message)
    return bool(call_id) and not crc32(call_id) >> 16 & (1 << halvings) - 1


try:
    from switchboard._native.wire import pick as pick
except ImportError:
    pick = pick_in_python
