"""One file of a keyed log: a header, then the commits; and the limits of such a log.

    header   b"SWBLOG" + version (1 byte) + b"\\n"
    commit   crc32 of its records (u32), their length (u32), the records
    record   length of the key (u16), length of the value (u32; ERASED: the key is erased), key, value

All numbers are little-endian. A process may be killed while it writes a commit. That commit is incomplete, so it is
the last one, and readers ignore it as a whole. A commit in the middle with a wrong checksum is damaged: readers
search for the next whole commit behind it and go on there. This is reported, and the file is set aside
(`storage/mending.py`).
"""

import os
import stat
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from zlib import crc32

from switchboard.busy import still_busy
from switchboard.storage.mending import Report, reports, set_aside, write_report
from switchboard.storage.room import write_all
from switchboard.storage.unusable import UnusableFile

SEGMENT_BYTES: Final = 4_000_000
SLACK: Final = 3
"""The log may be larger than its live data by this factor, plus two segments."""
CLEANED_A_COMMIT: Final = 64
MOST_READ: Final = 16
"""Segments that are kept open for reading."""
WAITING_BYTES: Final = 1_000_000
"""Waiting data of a log that cannot be written is cleaned when it has doubled, and grown by this amount."""
EVENTS_KEPT: Final = 100_000
"""More call events than this do not wait for the journal: the oldest are dropped, and counted."""
REPEAT_S: Final = 1.0
"""All events are sent again if no acknowledgement comes for this time."""


SEARCHED_BYTES: Final = 1_000_000
"""How far the next whole commit is searched behind a damaged one; far more than the size of a commit."""

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
    """The file was written by another version."""


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


def path_of(directory: Path, number: int) -> Path:
    """Where a log has its file of this number."""
    return directory / f"{number:010d}.log"


def files_of(directory: Path) -> list[tuple[int, Path]]:
    """The files of a log by their numbers, the oldest first. What somebody else has put there is none of them."""
    found = ((path.stem, path) for path in directory.glob("*.log"))
    numbered = ((int(stem), path) for stem, path in found if stem.isascii() and stem.isdecimal())
    return sorted((number, path) for number, path in numbered if path == path_of(directory, number))


def is_behind(path: Path) -> bool:
    """Whether its writer had decided more, when it ended, than it could write."""
    return not path.stat().st_mode & stat.S_IWUSR


def read(path: Path) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield the (key, value) of each record of whole commits, in order; value None: the key was erased."""
    data = path.read_bytes()
    for key, start, length in places(path, data):
        yield key, None if length == ERASED else data[start : start + length]


def places(path: Path, data: bytes, on_skip: Callable[[], None] = lambda: None) -> Iterator[Place]:
    """The same, with the places of the values in `data`, what the file holds. `on_skip`: commits were damaged."""
    skipped, position = int(not check_header(path, data)), HEADER_BYTES
    while position < len(data):
        end = _end_of_commit(data, position)
        if end:
            yield from _records(data, position + COMMIT_BYTES, end)
        elif end := next_commit(data, position):
            skipped += 1
        else:
            break
        position = end
    if skipped:
        report_skipped(path, skipped)
        on_skip()


def next_commit(data: bytes, position: int) -> int:
    """Where a whole commit begins behind the damaged one at `position`; 0: nowhere, that one was never finished."""
    if position + COMMIT_BYTES <= len(data):
        length: int = _COMMIT.unpack_from(data, position)[1]
        following = position + COMMIT_BYTES + length
        if following < len(data) and _end_of_commit(data, following):
            return following
    for start in range(position + 1, min(len(data) - COMMIT_BYTES - RECORD_BYTES, position + SEARCHED_BYTES)):
        if not start % 4096:
            still_busy()
        if _end_of_commit(data, start):
            return start
    return 0


def contents(path: Path) -> bytes | None:
    """What the file holds; None, with a report, if the disk does not give it."""
    try:
        return path.read_bytes()
    except OSError as error:
        _report(path, f"{error.strerror}", "nothing of it was read")
        return None


def report_skipped(path: Path, commits: int) -> None:
    """Report the number of damaged commits of the file, and keep it as it is; once."""
    _report(path, f"{commits} of its commits, or what it begins with", "all others were read")


def _report(path: Path, found: str, saved: str) -> None:
    if reports(path):
        return
    with suppress(OSError):
        kept = set_aside(path)
        advice = "calls that were being set up may have failed, and their records may lack something"
        write_report(kept, Report(str(path), time.time(), found, saved, kept.name, advice))


def records_in(data: bytes, position: int = 0) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield the (key, value) of records that stand one behind the other; None for one that erases."""
    while position < len(data):
        key_length, value_length = _RECORD.unpack_from(data, position)
        start = position + _RECORD.size
        middle = start + key_length
        position = middle if value_length == ERASED else middle + value_length
        yield data[start:middle], None if value_length == ERASED else data[middle:position]


def _end_of_commit(data: bytes, position: int) -> int:
    """Where the whole commit ends that begins here; 0 if none does."""
    if position + COMMIT_BYTES > len(data):
        return 0
    checksum, length = _COMMIT.unpack_from(data, position)
    start, end = position + COMMIT_BYTES, position + COMMIT_BYTES + length
    if length < RECORD_BYTES or end > len(data):
        return 0
    at = start
    while at + RECORD_BYTES <= end:
        key_length, value_length = _RECORD.unpack_from(data, at)
        at += RECORD_BYTES + key_length + (0 if value_length == ERASED else value_length)
    return end if at == end and checksum == crc32(memoryview(data)[start:end]) else 0


def _records(data: bytes, position: int, end: int) -> Iterator[Place]:
    while position < end:
        key_length, value_length = _RECORD.unpack_from(data, position)
        middle = position + RECORD_BYTES + key_length
        position = middle if value_length == ERASED else middle + value_length
        yield data[middle - key_length : middle], middle, value_length


def check_header(path: Path, data: bytes) -> bool:
    """Whether `data`, what the file holds, begins as a segment does, or as one that was being begun.

    SegmentError if another version wrote it.
    """
    if data.startswith(_MAGIC) and len(data) >= HEADER_BYTES and data[len(_MAGIC)] != VERSION:
        raise SegmentError(
            f"{path} is of version {data[len(_MAGIC)]}, this switchboard reads {VERSION}: "
            "use the one that wrote it, or move its directory away (calls being set up are forgotten)."
        )
    return HEADER.startswith(data[:HEADER_BYTES])
