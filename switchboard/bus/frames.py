"""The codec of the bus (docs/BUS.md): a frame is the msgpack array `[VERSION, subject, body]`.

The items of the frames that carry messages: all that travels between processes for a datagram is written and read
here, and by the native twins in `_native/packed.pxi`: a flow (`sip/flow.py`), offsets, raw message, and who will
read it.
"""

from typing import Any, Final, TypeGuard

from switchboard import codec
from switchboard.sip.flow import Flow, FlowError

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


Shape = tuple[type, ...]

RECEIVED: Final[Shape] = (bytes, bytes, bytes)
SENT: Final[Shape] = (bytes, bytes)
TRANSLATED: Final[Shape] = (bytes, bytes, str, str)
UNDELIVERABLE: Final[Shape] = (bytes, bytes)
REGISTERED: Final[Shape] = (bytes,)
_MESSAGES: Final = {"sip.received": (RECEIVED,), "sip.send": (SENT,), "sip.translate": (TRANSLATED, SENT)}


def pack_received(flow: bytes, index: bytes, raw: bytes) -> bytes:
    """An item of `sip.received` with a packed flow; an empty `index`: it could not be scanned."""
    return codec.pack([flow, index, raw])


def pack_sent(flow: bytes, raw: bytes) -> bytes:
    """An item of `sip.send` with a packed flow."""
    return codec.pack([flow, raw])


def pack_translated(flow: bytes, raw: bytes, user: str, accept_language: str) -> bytes:
    """An item of `sip.translate` with a packed flow."""
    return codec.pack([flow, raw, user, accept_language])


def has_shape(item: Any, shape: Shape) -> TypeGuard[list[Any]]:
    """Whether `item` is a list of exactly these types; class patterns of `match` cost five times as much."""
    return isinstance(item, list) and tuple(map(type, item)) == shape


def flow_of(item: Any, shape: Shape) -> Flow | None:
    """The flow of an item of this shape; None if it has another one."""
    if not has_shape(item, shape):
        return None
    try:
        return Flow.unpack(item[0])
    except FlowError:
        return None


def message_in(subject: str, item: Any) -> tuple[Flow, bytes] | None:
    """The flow and the raw message of an item of this subject; None if it holds none."""
    for shape in _MESSAGES.get(subject, ()):
        if flow := flow_of(item, shape):
            return flow, item[2 if shape is RECEIVED else 1]
    return None
