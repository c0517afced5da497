"""The codec of the bus: a frame is the msgpack array `[VERSION, subject, body]` (docs/BUS.md)."""

from typing import Any

from switchboard import codec

VERSION = 2


class FrameError(Exception):
    """The bytes are no frame of our version."""


def pack(subject: str, body: object) -> bytes:
    """Return the frame that carries `body`: None, numbers, str, bytes, and lists or maps of these."""
    return codec.pack([VERSION, subject, body])


def head(subject: str) -> bytes:
    """Return the octets of a frame that come before its body."""
    return codec.pack([VERSION, subject, None])[:-1]


def unpack(frame: bytes) -> tuple[str, Any]:
    """Return (subject, body) of a frame; tuples arrive as lists. FrameError, whatever the bytes are."""
    try:
        envelope = codec.unpack(frame)
    except codec.CodecError as error:
        raise FrameError(str(error)) from error
    if isinstance(envelope, list) and len(envelope) == 3:
        version, subject, body = envelope
        if version == VERSION and isinstance(subject, str):
            return subject, body
    raise FrameError(f"not [{VERSION}, subject, body]")
