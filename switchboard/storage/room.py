"""Writing at the end of a file on a disk that may be full: all of it, or nothing."""

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress

_KEEP_SIZE = 1
_UNKNOWN = (errno.EOPNOTSUPP, errno.ENOSYS)


def write_all(fd: int, data: bytes) -> None:
    """Write what may take several calls. OSError: some of it may be in the file."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def append(fd: int, end: int, data: bytes, sync: Callable[[int], None] | None = None) -> None:
    """Write `data` behind `end`, what the file holds. OSError: nothing was added, unless it cannot be cut either."""
    try:
        write_all(fd, data)
        if sync:
            sync(fd)
    except OSError:
        with suppress(OSError):
            os.ftruncate(fd, end)
        raise


def claim(fd: int, end: int, size: int) -> None:
    """After a failure: cut what is behind `end`, and have room for `size` octets there. OSError: there is none.

    So the next try leaves no half of anything for others to see. What is not used has to be cut.
    """
    os.ftruncate(fd, end)
    if size and (number := _allocate(fd, end, size)) and number not in _UNKNOWN:
        with suppress(OSError):
            os.ftruncate(fd, end)
        raise OSError(number, os.strerror(number))


def _allocate(fd: int, start: int, size: int) -> int:
    """Return the system's number of what is wrong, or 0."""
    if sys.platform != "linux":
        return errno.ENOSYS
    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.fallocate(fd, _KEEP_SIZE, ctypes.c_int64(start), ctypes.c_int64(size))
    return ctypes.get_errno() if failed else 0
