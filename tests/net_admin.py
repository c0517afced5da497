"""The right to go beyond the system's limits (CAP_NET_ADMIN of capabilities(7)), laid down for a while."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION_3 = 0x20080522
_CAP_NET_ADMIN = 12
_Header = ctypes.c_uint32 * 2
_Sets = ctypes.c_uint32 * 6
"""Effective, permitted and inheritable: the lower 32 capabilities, then the upper ones."""


@contextmanager
def laid_down() -> Iterator[None]:
    """Inside the block this thread has not got it."""
    before = _Sets()
    _call("capget", before)
    without = _Sets(*before)
    without[0] &= ~(1 << _CAP_NET_ADMIN)
    _call("capset", without)
    try:
        yield
    finally:
        _call("capset", before)


def _call(name: str, sets: "ctypes.Array[ctypes.c_uint32]") -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc[name](ctypes.byref(_Header(_VERSION_3, 0)), sets) == 0, ctypes.get_errno()
