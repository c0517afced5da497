"""A dictionary that outlives its process: an append-only log of what was set and erased.

One write a commit, and no fsync: what was committed survives the death of the process, not that of the
machine. Old segments are cleaned a little at each commit, by writing what is still alive in them anew, so
the log stays within a small multiple of what it holds and no commit takes long. Only the keys are in memory:
values are seldom asked for, and read from the files.
"""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from switchboard.wal import segment
from switchboard.wal.segment import (
    CLEANED_A_COMMIT,
    COMMIT_BYTES,
    ERASED,
    HEADER_BYTES,
    MOST_READ,
    RECORD_BYTES,
    SEGMENT_BYTES,
    SLACK,
    commit_head,
    record_head,
)

_SUFFIX = ".log"


class _Place:
    """Where a value is: the segment's number, and the octets of its file."""

    __slots__ = ("length", "segment", "start")

    segment: int
    start: int
    length: int


def _place(segment: int, start: int, length: int) -> _Place:
    place = _Place.__new__(_Place)  # no call of __init__: it would cost more than all the rest
    place.segment = segment
    place.start = start
    place.length = length
    return place


class KeyedLogInPython:
    """The reference of `KeyedLog`: keys and values as bytes, in the files of `directory`. One process writes at a time.

    SegmentError if a file there cannot be read.
    """

    def __init__(self, directory: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.size = 0
        """Bytes of all segments."""
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._entries: dict[bytes, _Place] = {}  # the oldest first
        self._readers: dict[int, int] = {}  # descriptors, by segment
        self._residents: dict[int, int] = {}
        self._sizes: dict[int, int] = {}
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._alive = 0
        self._end = 0  # of the newest segment's file
        self._oldest = self._number = 0
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._replay()
        self._open_segment()

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, key: bytes) -> bytes:
        return self._read(self._entries[key])

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._entries)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every key and its value."""
        return ((key, self._read(place)) for key, place in self._entries.items())

    def put(self, key: bytes, value: bytes) -> None:
        """Set `key`; durable with the next commit."""
        self._let_go(key)
        number = self._number
        length = len(value)
        before = RECORD_BYTES + len(key)
        self._entries[key] = _place(number, self._end + COMMIT_BYTES + self._pending_bytes + before, length)
        self._residents[number] += 1
        self._alive += before + length
        self._pending_bytes += before + length
        self._pending += (record_head(key, length), key, value)

    def erase(self, key: bytes) -> None:
        """Remove `key` if it is there; durable with the next commit."""
        if self._let_go(key):
            self._pending_bytes += RECORD_BYTES + len(key)
            self._pending += (record_head(key, ERASED), key)

    def put_records(self, records: bytes) -> None:
        """Set and erase what stands in `records`, as a segment would have it."""
        for key, value in segment.records_in(records):
            if value is None:
                self.erase(key)
            else:
                self.put(key, value)

    def commit(self) -> None:
        """Write what was put and erased since the last commit: one write."""
        if not self._pending:
            return
        if self.size > SLACK * self._alive + 2 * self._segment_bytes:
            self._clean()
        records = b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        written = _write_all(self._fd, commit_head(records), records)
        self._end += written
        self.size += written
        self._sizes[self._number] += written
        self._drop_empty_segments()
        if self._sizes[self._number] >= self._segment_bytes:
            os.close(self._fd)
            self._open_segment()

    def close(self) -> None:
        """Close the file; what was not committed is lost."""
        os.close(self._fd)
        self._close_readers()

    def _clean(self) -> None:
        """Write some of what is alive in the oldest segment anew."""
        for key, place in list(islice(self._entries.items(), CLEANED_A_COMMIT)):
            if place.segment == self._number:
                return
            self.put(key, self._read(place))

    def _drop_empty_segments(self) -> None:
        """Remove segments oldest first, so that an erasure never goes before what it erases."""
        while self._oldest != self._number and not self._residents[self._oldest]:
            self._path(self._oldest).unlink(missing_ok=True)
            self.size -= self._sizes.pop(self._oldest)
            del self._residents[self._oldest]
            if self._oldest in self._readers:
                os.close(self._readers.pop(self._oldest))
            self._oldest = next(iter(self._sizes))

    def _let_go(self, key: bytes) -> bool:
        """Forget where the value of `key` is; False: it has none."""
        place = self._entries.pop(key, None)
        if place is None:
            return False
        self._alive -= RECORD_BYTES + len(key) + place.length
        self._residents[place.segment] -= 1
        return True

    def _read(self, place: _Place) -> bytes:
        start = place.start - self._end - COMMIT_BYTES
        if place.segment == self._number and start >= 0:
            return b"".join(self._pending)[start : start + place.length]
        return os.pread(self._reader(place.segment), place.length, place.start)

    def _reader(self, number: int) -> int:
        fd = self._readers.get(number)
        if fd is None:
            if len(self._readers) >= MOST_READ:
                self._close_readers()
            fd = self._readers[number] = os.open(self._path(number), os.O_RDONLY)
        return fd

    def _close_readers(self) -> None:
        for fd in self._readers.values():
            os.close(fd)
        self._readers.clear()

    def _replay(self) -> None:
        for path in sorted(self._directory.glob(f"*{_SUFFIX}")):
            self._replay_segment(path, int(path.stem))
        for key, place in self._entries.items():
            self._residents[place.segment] += 1
            self._alive += RECORD_BYTES + len(key) + place.length

    def _replay_segment(self, path: Path, number: int) -> None:
        data = path.read_bytes()
        size = self._sizes[number] = len(data)
        self.size += size
        self._residents[number] = 0
        entries = self._entries
        for key, start, length in segment.places(path, data):
            entries.pop(key, None)
            if length != ERASED:
                entries[key] = _place(number, start, length)

    def _open_segment(self) -> None:
        self._number = max(self._sizes, default=0) + 1
        self._fd = segment.create(self._path(self._number))
        self._sizes[self._number] = self._residents[self._number] = 0
        self._end = HEADER_BYTES
        self._oldest = next(iter(self._sizes))

    def _path(self, number: int) -> Path:
        return self._directory / f"{number:010d}{_SUFFIX}"


def _write_all(fd: int, head: bytes, data: bytes) -> int:
    written = os.writev(fd, (head, data))
    if written < len(head) + len(data):
        rest = memoryview(head + data)[written:]
        while rest:
            rest = rest[os.write(fd, rest) :]
    return len(head) + len(data)


try:
    from switchboard._native import engine
except ImportError:
    KeyedLog = KeyedLogInPython
else:
    KeyedLog = engine.NativeKeyedLog  # type: ignore[assignment, misc]
