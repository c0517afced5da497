"""A dictionary that outlives its process: an append-only log of what was set and erased.

One write a commit, and no fsync: what was committed survives the death of the process, not that of the
machine. Old segments are cleaned a little at each commit, by writing what is still alive in them anew, so
the log stays within a small multiple of what it holds and no commit takes long.
"""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from switchboard.durable import segment
from switchboard.durable.segment import pack_commit, pack_record, record_size

SEGMENT_BYTES = 1_000_000
SLACK = 2
"""The log may be so many times as large as what is alive in it, plus two segments."""
CLEANED_A_COMMIT = 64
_SUFFIX = ".log"


class KeyedLog:
    """Keys and values as bytes, in the files of `directory`. One process writes at a time.

    SegmentError if a file there cannot be read.
    """

    def __init__(self, directory: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.size = 0
        """Bytes of all segments."""
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._entries: dict[bytes, tuple[int, bytes]] = {}  # segment and value, the oldest first
        self._residents: dict[int, int] = {}
        self._sizes: dict[int, int] = {}
        self._pending: list[bytes] = []
        self._alive = 0
        self._oldest = self._number = 0
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._replay()
        self._open_segment()

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, key: bytes) -> bytes:
        return self._entries[key][1]

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every key and its value."""
        return ((key, value) for key, (_, value) in self._entries.items())

    def put(self, key: bytes, value: bytes) -> None:
        """Set `key`; durable with the next commit."""
        record = pack_record(key, value)
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._let_go(key, entry)
        number = self._number
        self._entries[key] = number, value
        self._residents[number] += 1
        self._alive += len(record)
        self._pending.append(record)

    def erase(self, key: bytes) -> None:
        """Remove `key` if it is there; durable with the next commit."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._let_go(key, entry)
            self._pending.append(pack_record(key, None))

    def commit(self) -> None:
        """Write what was put and erased since the last commit: one write."""
        if not self._pending:
            return
        if self.size > SLACK * self._alive + 2 * self._segment_bytes:
            self._clean()
        data = pack_commit(self._pending)
        self._pending.clear()
        _write_all(self._fd, data)
        self.size += len(data)
        self._sizes[self._number] += len(data)
        self._drop_empty_segments()
        if self._sizes[self._number] >= self._segment_bytes:
            os.close(self._fd)
            self._open_segment()

    def close(self) -> None:
        """Close the file; what was not committed is lost."""
        os.close(self._fd)

    def _clean(self) -> None:
        """Write some of what is alive in the oldest segment anew."""
        for key, (number, value) in list(islice(self._entries.items(), CLEANED_A_COMMIT)):
            if number == self._number:
                return
            self.put(key, value)

    def _drop_empty_segments(self) -> None:
        """Remove segments oldest first, so that an erasure never goes before what it erases."""
        while self._oldest != self._number and not self._residents[self._oldest]:
            self._path(self._oldest).unlink(missing_ok=True)
            self.size -= self._sizes.pop(self._oldest)
            del self._residents[self._oldest]
            self._oldest = next(iter(self._sizes))

    def _let_go(self, key: bytes, entry: tuple[int, bytes]) -> None:
        number, value = entry
        self._alive -= record_size(key, value)
        self._residents[number] -= 1

    def _replay(self) -> None:
        for path in sorted(self._directory.glob(f"*{_SUFFIX}")):
            self._read(path, int(path.stem))
        for key, (number, value) in self._entries.items():
            self._residents[number] += 1
            self._alive += record_size(key, value)

    def _read(self, path: Path, number: int) -> None:
        size = self._sizes[number] = path.stat().st_size
        self.size += size
        self._residents[number] = 0
        entries = self._entries
        for key, value in segment.read(path):
            entries.pop(key, None)
            if value is not None:
                entries[key] = number, value

    def _open_segment(self) -> None:
        self._number = max(self._sizes, default=0) + 1
        self._fd = segment.create(self._path(self._number))
        self._sizes[self._number] = self._residents[self._number] = 0
        self._oldest = next(iter(self._sizes))

    def _path(self, number: int) -> Path:
        return self._directory / f"{number:010d}{_SUFFIX}"


def _write_all(fd: int, data: bytes) -> None:
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, memoryview(data)[written:])
