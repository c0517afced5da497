"""One file of a keyed log: records behind a header, each guarded by a checksum.

    header   b"SWBLOG" + version (1 byte) + b"\\n"
    record   crc32 of the rest (u32), length of the key (u16), length of the value (u32; ERASED: the key is
             erased), key, value; little-endian

A record that was being written when the process was killed ends the file for its readers.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

from switchboard.unusable import UnusableFile

VERSION = 2
READ_VERSIONS = (1, 2)
"""What a record is has not changed between them; what routers write into it has (`version1.py`)."""
ERASED = 0xFFFFFFFF

_MAGIC = b"SWBLOG"
_HEADER = _MAGIC + bytes([VERSION]) + b"\n"
_CHECKSUM = struct.Struct("<I")
_LENGTHS = struct.Struct("<HI")
_START = struct.Struct("<IHI")
_PREFIX = _START.size


class SegmentError(UnusableFile):
    """The file was written by a later version, or is none of ours."""


def pack_record(key: bytes, value: bytes | None) -> bytes:
    """Return the record that sets `key` to `value`, or erases it (None)."""
    length = ERASED if value is None else len(value)
    rest = _LENGTHS.pack(len(key), length) + key + (value or b"")
    return _CHECKSUM.pack(crc32(rest)) + rest


def record_size(key: bytes, value: bytes | None) -> int:
    """Return the length of that record."""
    return _PREFIX + len(key) + len(value or b"")


def create(path: Path) -> int:
    """Create the file and return its descriptor, open for appending."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    os.write(fd, _HEADER)
    return fd


def read(path: Path) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield the (key, value) of each whole record, in order; value None where the key was erased."""
    data = path.read_bytes()
    _check_header(path, data)
    view = memoryview(data)
    position, last = len(_HEADER), len(data) - _PREFIX
    while position <= last:
        checksum, key_length, value_length = _START.unpack_from(data, position)
        start = position + _PREFIX
        middle = start + key_length
        erased = value_length == ERASED
        end = middle if erased else middle + value_length
        if checksum != crc32(view[position + _CHECKSUM.size : end]):
            return
        yield data[start:middle], None if erased else data[middle:end]
        position = end


def _check_header(path: Path, data: bytes) -> None:
    version = data[len(_MAGIC) : len(_MAGIC) + 1]
    if _HEADER.startswith(data) or (data.startswith(_MAGIC) and version and version[0] in READ_VERSIONS):
        return
    if data.startswith(_MAGIC):
        raise SegmentError(
            f"{path} is of version {version[0]}, this switchboard reads {READ_VERSIONS[0]} to {VERSION}: "
            "use the one that wrote it, or move its directory away (calls being set up are forgotten)."
        )
    raise SegmentError(f"{path} is no log of the switchboard: move it away, or use another data directory.")
