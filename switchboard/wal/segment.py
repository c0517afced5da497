"""One file of a keyed log: a header, and behind it what each commit wrote; and how much a log holds.

    header   b"SWBLOG" + version (1 byte) + b"\\n"
    commit   crc32 of its records (u32), their length (u32), the records
    record   length of the key (u16), length of the value (u32; ERASED: the key is erased), key, value

All numbers are little-endian. A commit that was being written when the process was killed ends the file for
its readers: none of it has happened. So does a record that is longer than its commit, which is none of ours.
"""

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from zlib import crc32

from switchboard.storage.room import write_all
from switchboard.storage.unusable import UnusableFile

SEGMENT_BYTES: Final = 4_000_000
SLACK: Final = 3
"""The log may be so many times as large as what is alive in it, plus two segments."""
CLEANED_A_COMMIT: Final = 64
MOST_READ: Final = 16
"""So many segments are kept open for reading."""
WAITING_BYTES: Final = 1_000_000
"""What waits while a log cannot be written is tidied when it has doubled, and grown by so much."""
EVENTS_KEPT: Final = 100_000
"""More call events than this do not wait for the journal: the oldest are dropped, and counted."""
REPEAT_S: Final = 1.0
"""How long an acknowledgement of events is waited for before all of them are told again."""


VERSION = 3
ERASED = 0xFFFFFFFF

_WHOLE, _BEHIND = 0o600, 0o400
_MAGIC = b"SWBLOG"
HEADER = _MAGIC + bytes([VERSION]) + b"\n"
_COMMIT = struct.Struct("<II")
_RECORD = struct.Struct("<HI")
HEADER_BYTES = len(HEADER)
RECORD_BYTES = _RECORD.size
COMMIT_BYTES = _COMMIT.size

Place = tuple[bytes, int, int]
"""A key, where its value begins in the file, and how long that is; ERASED: it has none."""


class SegmentError(UnusableFile):
    """The file was written by a later version, or is none of ours."""


def record_head(key: bytes, value_length: int) -> bytes:
    """Return what stands before `key` in the record that sets it, or erases it (ERASED)."""
    return _RECORD.pack(len(key), value_length)


def commit_head(records: bytes) -> bytes:
    """Return what stands before the records of a commit."""
    return _COMMIT.pack(crc32(records), len(records))


def create(path: Path) -> int:
    """Create the file and return its descriptor, open for appending. OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        write_all(fd, HEADER)
    except OSError:
        os.close(fd)
        raise
    return fd


def mark_behind(path: Path, is_behind: bool) -> None:
    """The file's last commits are missing, or not any more: that can be noted on a full disk, too (`is_behind`)."""
    with suppress(OSError):
        path.chmod(_BEHIND if is_behind else _WHOLE)


def is_behind(path: Path) -> bool:
    """Whether its writer had decided more, when it ended, than it could write."""
    return not path.stat().st_mode & stat.S_IWUSR


def read(path: Path) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield the (key, value) of each record of whole commits, in order; value None: the key was erased."""
    data = path.read_bytes()
    for key, start, length in places(path, data):
        yield key, None if length == ERASED else data[start : start + length]


def places(path: Path, data: bytes) -> Iterator[Place]:
    """The same, with the places of the values in `data`, what the file holds."""
    check_header(path, data)
    return _records(data)


def records_in(data: bytes, position: int = 0) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield the (key, value) of records that stand one behind the other; None for one that erases."""
    while position < len(data):
        key_length, value_length = _RECORD.unpack_from(data, position)
        start = position + _RECORD.size
        middle = start + key_length
        position = middle if value_length == ERASED else middle + value_length
        yield data[start:middle], None if value_length == ERASED else data[middle:position]


def _records(data: bytes) -> Iterator[Place]:
    view = memoryview(data)
    position = len(HEADER)
    while position + _COMMIT.size <= len(data):
        checksum, length = _COMMIT.unpack_from(data, position)
        position += _COMMIT.size
        end = position + length
        if end > len(data) or checksum != crc32(view[position:end]):
            return
        while position < end:
            if position + _RECORD.size > end:
                return
            key_length, value_length = _RECORD.unpack_from(data, position)
            middle = position + _RECORD.size + key_length
            position = middle if value_length == ERASED else middle + value_length
            if position > end:
                return
            yield data[middle - key_length : middle], middle, value_length


def check_header(path: Path, data: bytes) -> None:
    """SegmentError if `data`, what the file holds, does not begin as a segment does, or as one that was being begun."""
    if HEADER.startswith(data[:HEADER_BYTES]):
        return
    if data.startswith(_MAGIC) and data[len(_MAGIC)] != VERSION:
        raise SegmentError(
            f"{path} is of version {data[len(_MAGIC)]}, this switchboard reads {VERSION}: "
            "use the one that wrote it, or move its directory away (calls being set up are forgotten)."
        )
    raise SegmentError(f"{path} is no log of the switchboard: move it away, or use another data directory.")
