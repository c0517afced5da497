"""The secret key of a switchboard, in a file that only its user reads, and what is derived from it."""

import os
import secrets
from enum import Enum
from hashlib import blake2s
from hmac import compare_digest
from pathlib import Path
from typing import Final

from switchboard.storage.durable import sync_directory
from switchboard.storage.secret import exposure
from switchboard.storage.unusable import UnusableFile

SIZE = 32
"""Bytes of the key."""


class Use(Enum):
    """What a sum proves; none can be taken for another's."""

    NONCE = b"nonce"
    DIALOG = b"dialog"
    HOST = b"host"
    TAG = b"tag"
    DECOY = b"decoy"
    GRUU = b"gruu"
    MEDIA = b"media"
    TRUNK = b"trunk"


def seal(key: bytes, use: Use, data: bytes, size: int = 8) -> bytes:
    """The keyed hash (MAC) of `size` bytes over `data`; only an owner of `key` can make it."""
    return blake2s(data, key=key, digest_size=size, person=use._value_).digest()  # `value` costs a call more


HIDDEN: Final = 10
"""Octets that a hidden text is longer."""
_BLOCK: Final = 32


def hide(key: bytes, use: Use, text: bytes, bound: bytes = b"") -> bytes:
    """Encrypt a text so that only an owner of `key` can read or make one; `bound`: what it is valid with.

    Ahead of it is the keyed hash of both, which proves it, and makes the key stream.
    """
    iv = seal(key, use, b"iv\0" + bound + text, HIDDEN)
    return iv + _crypted(key, use, iv, text)


def reveal(key: bytes, use: Use, octets: bytes, bound: bytes = b"") -> bytes | None:
    """Return what `hide` has hidden; None for anything else (untrusted)."""
    iv = octets[:HIDDEN]
    text = _crypted(key, use, iv, octets[HIDDEN:])
    return text if compare_digest(iv, seal(key, use, b"iv\0" + bound + text, HIDDEN)) else None


def _crypted(key: bytes, use: Use, iv: bytes, text: bytes) -> bytes:
    """The text with the key stream over it, and the other way round."""
    blocks = [
        seal(key, use, b"stream\0%d\0" % number + iv, _BLOCK) for number in range(-(-len(text) // _BLOCK))
    ]
    return bytes(one ^ other for one, other in zip(text, b"".join(blocks), strict=False))


class KeyFileError(UnusableFile):
    """The key cannot be used; the text tells people why and what to do."""


RESTORE: Final = (
    "restore it, or remove it (phones then authenticate anew, and calls that are up may not be ended through the "
    "switchboard)"
)


def load_or_make_key(path: Path, name: str = "The key", remedy: str = RESTORE) -> bytes:
    """The key in the file `path`; a new one, kept there, if there is none yet. KeyFileError.

    Several processes may do so at the same time: all get the same key. `name` and `remedy` are for people: what key it
    is, and what to do if the file holds none.
    """
    try:
        if not path.exists():
            make_key(path)
        if problem := exposure(path):
            raise KeyFileError(f"{name} {path} {problem}.")
        key = path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"{name} {path} cannot be used: {error.strerror}.") from error
    if len(key) != SIZE:
        raise KeyFileError(f"{name} {path} holds {len(key)} bytes instead of {SIZE}: {remedy}.")
    return key


def make_key(path: Path) -> bool:
    """Keep a new key in `path`; False if somebody else was first. OSError."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(SIZE))
        os.fsync(descriptor)
        os.link(fresh, path)  # whole, or not at all
    except FileExistsError:
        return False
    finally:
        os.close(descriptor)
        os.unlink(fresh)
    sync_directory(path.parent)
    return True
