"""A dictionary that outlives its process: an append-only log of keys that were set and erased.

Theory. The files are *segments* (`segment.py`). Each commit appends its records to the newest segment in one write.
The last record of a key counts; an erasure is a record, too. Memory holds the keys with the place of each value, and
values are read from the files, because that is rare. A start reads all segments in order and rebuilds the keys.

Old records have to go at some time. While the files are larger than a small multiple of the live data, each commit
also writes a few of the oldest live entries again. So the oldest segment becomes empty after a while, and is
removed. Segments are removed oldest first, so that an erasure never goes before the record that it erases. This
bounds the size of the log, and no single commit takes long.

There is no fsync. What was committed is in the kernel's memory: it survives the death of the process, but not that
of the machine.

While the disk is full or broken, changes wait in memory, and are read from there. `commit` tries again. The first
try that succeeds writes all of them as one commit, without values that were set again or erased meanwhile. If too
much waits, such values are removed earlier. A log whose process ends before that is *behind*.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from math import inf
from pathlib import Path
from time import monotonic

from switchboard.storage import room
from switchboard.storage.writing import RETRY_S
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
    WAITING_BYTES,
    commit_head,
    record_head,
)


class _Place:
    """Where a value is: the segment's number, and the octets of its file. `written`: one of the key is in a file."""

    __slots__ = ("length", "segment", "start", "written")

    segment: int
    start: int
    length: int
    written: bool


def _place(segment: int, start: int, length: int, written: bool = False) -> _Place:
    place = _Place.__new__(_Place)  # no call of __init__: it would cost more than all the rest
    place.segment = segment
    place.start = start
    place.length = length
    place.written = written
    return place


class KeyedLogInPython:
    """The reference of `KeyedLog`: keys and values as bytes, in the files of `directory`. One process writes at a time.

    SegmentError if a file there cannot be read.
    """

    def __init__(self, directory: Path, segment_bytes: int = SEGMENT_BYTES, retry_s: float = RETRY_S) -> None:
        self.size = 0
        """Bytes of all segments."""
        self.error = 0
        """Why what waits cannot be written, as the system's number; 0: nothing is wrong."""
        self.failures = 0
        """Tries to write that failed."""
        self.is_behind = False
        """Whether more was decided, by this process or the one before it, than is in the files."""
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._retry_s = retry_s
        self.retry_at = inf
        """When a commit tries again, if something is wrong (monotonic s)."""
        self._tidied = 0  # octets that waited when that was tidied last
        self._entries: dict[bytes, _Place] = {}  # the oldest first
        self._readers: dict[int, int] = {}  # descriptors, by segment
        self._residents: dict[int, int] = {}
        self._sizes: dict[int, int] = {}
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._alive = 0
        self._end = 0  # of the newest segment's file
        self._fd = -1  # none, if that file could not be begun yet
        self._oldest = self._number = 0
        self._replay()
        self._add_segment()

    @property
    def unwritten(self) -> int:
        """Octets of what waits for a commit."""
        return self._pending_bytes

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
        gone = self._let_go(key)
        number = self._number
        length = len(value)
        before = RECORD_BYTES + len(key)
        start = self._end + COMMIT_BYTES + self._pending_bytes + before
        self._entries[key] = _place(number, start, length, gone is not None and self._is_written(gone))
        self._residents[number] += 1
        self._alive += before + length
        self._pending_bytes += before + length
        self._pending += (record_head(key, length), key, value)

    def erase(self, key: bytes) -> None:
        """Remove `key` if it is there; durable with the next commit."""
        gone = self._let_go(key)
        if gone is not None and (not self.error or self._is_written(gone)):
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
        """Write what was put and erased since the last commit that succeeded: one write.

        If that fails, `error` says why, and all waits for one of the next commits, `retry_s` later or more.
        """
        if self.error:
            if monotonic() < self.retry_at:
                if self._pending_bytes > 2 * self._tidied + WAITING_BYTES:
                    self._tidy()
                return
        elif not self._pending:
            return
        elif self.size > SLACK * self._alive + 2 * self._segment_bytes:
            self._clean()
        try:
            written = self._write()
        except OSError as error:
            self._fail(error.errno or errno.EIO)
            return
        self._end += written
        self.size += written
        self._sizes[self._number] += written
        self._succeed()
        self._drop_empty_segments()
        if self._sizes[self._number] >= self._segment_bytes:
            os.close(self._fd)
            self._add_segment()

    def close(self) -> None:
        """Close the file; what was not committed is lost."""
        if self._fd >= 0:
            os.close(self._fd)
        self._close_readers()

    def _write(self) -> int:
        """Write what waits, if anything does; return how many octets. OSError."""
        if self._fd < 0:
            self._begin_file()
        if self.error:
            room.claim(self._fd, self._end, COMMIT_BYTES + self._pending_bytes)
            self._tidy()
        records = b"".join(self._pending)
        commit = commit_head(records) + records if records else b""
        room.append(self._fd, self._end, commit)
        if self.error:
            os.ftruncate(self._fd, self._end + len(commit))
        self._pending.clear()
        self._pending_bytes = 0
        return len(commit)

    def _fail(self, number: int) -> None:
        if not self.error:
            self.is_behind = True
            self._tidied = 0
            began = [each for each in self._sizes if each != self._number or self._fd >= 0]
            if began:
                segment.mark_behind(self._path(began[-1]), True)
        self.error = number
        self.failures += 1
        self.retry_at = monotonic() + self._retry_s

    def _succeed(self) -> None:
        self.error, self.retry_at = 0, inf
        if self.is_behind:
            self.is_behind = False
            for number in self._sizes:
                segment.mark_behind(self._path(number), False)

    def _tidy(self) -> None:
        """Leave out of what waits what was set anew or erased since. Erasures stay: their keys are in files."""
        waiting, self._pending = segment.records_in(b"".join(self._pending)), []
        position = start = self._end + COMMIT_BYTES
        for key, value in waiting:
            head = record_head(key, ERASED if value is None else len(value))
            position += len(head) + len(key)
            place = self._entries.get(key)
            if value is None:
                self._pending += (head, key)
                start += len(head) + len(key)
                continue
            if place is not None and place.segment == self._number and place.start == position:
                self._pending += (head, key, value)
                place.start = start + len(head) + len(key)
                start = place.start + len(value)
            position += len(value)
        self._pending_bytes = self._tidied = start - self._end - COMMIT_BYTES

    def _is_written(self, place: _Place) -> bool:
        """Whether a record of its key is in a file."""
        return place.written or place.segment != self._number or place.start < self._end + COMMIT_BYTES

    def _clean(self) -> None:
        """Write some of what is alive in the oldest segment anew; what cannot be read stays there."""
        with suppress(OSError):
            for key, place in list(islice(self._entries.items(), CLEANED_A_COMMIT)):
                if place.segment == self._number:
                    return
                self.put(key, self._read(place))

    def _drop_empty_segments(self) -> None:
        """Remove segments oldest first, so that an erasure never goes before what it erases."""
        while self._oldest != self._number and not self._residents[self._oldest]:
            try:
                self._path(self._oldest).unlink(missing_ok=True)
            except OSError:
                return
            self.size -= self._sizes.pop(self._oldest)
            del self._residents[self._oldest]
            if self._oldest in self._readers:
                os.close(self._readers.pop(self._oldest))
            self._oldest = next(iter(self._sizes))

    def _let_go(self, key: bytes) -> _Place | None:
        """Forget where the value of `key` is, and return that; None: it has none."""
        place = self._entries.pop(key, None)
        if place is not None:
            self._alive -= RECORD_BYTES + len(key) + place.length
            self._residents[place.segment] -= 1
        return place

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
        for number, path in segment.files_of(self._directory):
            self._replay_segment(path, number)
        for key, place in self._entries.items():
            self._residents[place.segment] += 1
            self._alive += RECORD_BYTES + len(key) + place.length

    def _replay_segment(self, path: Path, number: int) -> None:
        data = segment.contents(path)
        if data is None:
            data, self.is_behind = b"", True
        self.is_behind = self.is_behind or segment.is_behind(path)
        size = self._sizes[number] = len(data)
        self.size += size
        self._residents[number] = 0
        entries = self._entries
        for key, start, length in segment.places(path, data, self._be_behind):
            entries.pop(key, None)
            if length != ERASED:
                entries[key] = _place(number, start, length)

    def _be_behind(self) -> None:
        self.is_behind = True

    def _add_segment(self) -> None:
        """Write to the next file from now on; the first commit in it tries again to begin that."""
        self._number = max(self._sizes, default=0) + 1
        self._sizes[self._number] = self._residents[self._number] = 0
        self._end = HEADER_BYTES
        self._oldest = next(iter(self._sizes))
        self._fd = -1
        with suppress(OSError):
            self._begin_file()

    def _begin_file(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = segment.create(self._path(self._number))

    def _path(self, number: int) -> Path:
        return segment.path_of(self._directory, number)


try:
    from switchboard._native import engine
except ImportError:
    KeyedLog = KeyedLogInPython
else:
    KeyedLog = engine.NativeKeyedLog  # type: ignore[assignment, misc]
