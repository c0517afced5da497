"""How the bus and the log write plain values: msgpack, with text that came from the wire as it came."""

from typing import Any

import msgpack  # type: ignore[import-untyped]

_TEXT_ERRORS = "surrogateescape"
_LIST_SIZES = {b"\xdc": 2, b"\xdd": 4}
"""Octets of the length of a list, by the one before it."""
_SMALL = 64
"""Octets that are enough for a small value."""


class CodecError(Exception):
    """The bytes are no packed value."""


_packer = msgpack.Packer(unicode_errors=_TEXT_ERRORS)


def pack_in_python(value: object) -> bytes:
    """Return the bytes of numbers, text, bytes, lists, maps and None; tuples become lists."""
    packed: bytes = _packer.pack(value)
    return packed


def list_head(length: int) -> bytes:
    """Return the octets of a list of `length` items that come before the first."""
    head: bytes = _packer.pack_array_header(length)
    return head


def unpack(data: bytes, *, lists: bool = True) -> Any:
    """Return what `pack` was given, all lists and tuples as lists, or all as tuples.

    CodecError, whatever the bytes are.
    """
    try:
        return msgpack.unpackb(data, unicode_errors=_TEXT_ERRORS, use_list=lists)
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
        raise CodecError(f"not msgpack: {error}") from error


def unpack_first(data: bytes, start: int) -> tuple[Any, int]:
    """Return the small value (number or short text) that starts there, and where it ends. CodecError."""
    unpacker = msgpack.Unpacker(unicode_errors=_TEXT_ERRORS)
    unpacker.feed(data[start : start + _SMALL])
    try:
        return unpacker.unpack(), start + unpacker.tell()
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
        raise CodecError(f"not msgpack: {error}") from error


def list_at(data: bytes, start: int) -> int:
    """Return how many items the list has that starts there. CodecError."""
    head = data[start : start + 1]
    if b"\x90" <= head <= b"\x9f":
        return head[0] - 0x90
    size = _LIST_SIZES.get(head, 0)
    if not size or len(data) <= start + size:
        raise CodecError("no list")
    return int.from_bytes(data[start + 1 : start + 1 + size], "big")


try:
    from switchboard._native.wire import pack as pack
except ImportError:
    pack = pack_in_python
