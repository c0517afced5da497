"""How the log writes plain values: msgpack, with text that came from the wire as it came."""

from typing import Any

import msgpack  # type: ignore[import-untyped]

_TEXT_ERRORS = "surrogateescape"


def pack(value: object) -> bytes:
    """Return the bytes of numbers, text, bytes, lists, maps and None; tuples become lists."""
    packed: bytes = msgpack.packb(value, unicode_errors=_TEXT_ERRORS)
    return packed


def unpack(data: bytes) -> Any:
    """Return what `pack` was given (trusted)."""
    return msgpack.unpackb(data, unicode_errors=_TEXT_ERRORS)
