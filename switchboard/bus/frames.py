"""The codec of the bus: a frame is the msgpack array `[VERSION, subject, body]` (docs/BUS.md)."""

from typing import Any

import msgpack  # type: ignore[import-untyped]

VERSION = 1

# Text that came from the wire may hold bytes that are no UTF-8: they cross the bus as they came.
_TEXT_ERRORS = "surrogateescape"


class FrameError(Exception):
    """The bytes are no frame of our version."""


def pack(subject: str, body: object) -> bytes:
    """Return the frame that carries `body`: None, numbers, str, bytes, and lists or maps of these."""
    frame: bytes = msgpack.packb([VERSION, subject, body], unicode_errors=_TEXT_ERRORS)
    return frame


def unpack(frame: bytes) -> tuple[str, Any]:
    """Return (subject, body) of a frame; tuples arrive as lists. FrameError, whatever the bytes are."""
    try:
        envelope = msgpack.unpackb(frame, unicode_errors=_TEXT_ERRORS)
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
        raise FrameError(f"not msgpack: {error}") from error
    match envelope:
        case [version, str(subject), body] if version == VERSION:
            return subject, body
    raise FrameError(f"not [{VERSION}, subject, body]")
