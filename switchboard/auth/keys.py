"""What is derived from the secret key of a switchboard: one use, one kind of sum."""

from enum import Enum
from hashlib import blake2s

SIZE = 32
"""Bytes of the key."""


class Use(Enum):
    """What a sum proves; none can be taken for another's."""

    NONCE = b"nonce"
    DIALOG = b"dialog"
    HOST = b"host"
    TAG = b"tag"
    DECOY = b"decoy"


def seal(key: bytes, use: Use, data: bytes, size: int = 8) -> bytes:
    """The sum of `size` bytes over `data` that only who has `key` can make."""
    return blake2s(data, key=key, digest_size=size, person=use._value_).digest()  # `value` costs a call more
