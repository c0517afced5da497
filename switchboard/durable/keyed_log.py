"""A dictionary that outlives its process: an append-only log of what was set and erased.

One write a commit, and no fsync: what was committed survives the death of the process, not that of the
machine. Old segments are cleaned a little at each commit, by writing what is still alive in them anew, so
the log stays within a small multiple of what it holds and no commit takes long.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from switchboard.durable import segment

SEGMENT_BYTES = 4_000_000
SLACK = 2
"""The log may be so many times as large as what is alive in it, plus two segments."""
CLEANED_A_COMMIT = 64
_SUFFIX = ".log"


class KeyedLog:
    """Keys and values as bytes, in the files of `directory`. One process writes at a time."""

    def __init__(self, directory: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._values: dict[bytes, bytes] = {}
        self._homes: dict[bytes, int] = {}
        self._residents: dict[int, dict[bytes, None]] = {}
        self._sizes: dict[int, int] = {}
        self._pending: list[bytes] = []
        self._alive = 0
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._replay()
        self._open_segment()

    def __len__(self) -> int:
        return len(self._values)

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(self._sizes.values())

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every key and its value."""
        return iter(self._values.items())

    def put(self, key: bytes, value: bytes) -> None:
        """Set `key`; durable with the next commit."""
        self._forget(key)
        self._values[key] = value
        self._homes[key] = self._number
        self._residents[self._number][key] = None
        record = segment.pack_record(key, value)
        self._alive += len(record)
        self._pending.append(record)

    def erase(self, key: bytes) -> None:
        """Remove `key` if it is there; durable with the next commit."""
        if key in self._values:
            self._forget(key)
            self._pending.append(segment.pack_record(key, None))

    def commit(self) -> None:
        """Write what was put and erased since the last commit: one write."""
        if not self._pending:
            return
        if self._is_wasteful():
            self._clean()
        data = b"".join(self._pending)
        self._pending.clear()
        _write_all(self._fd, data)
        self._sizes[self._number] += len(data)
        self._drop_empty_segments()
        if self._sizes[self._number] >= self._segment_bytes:
            os.close(self._fd)
            self._open_segment()

    def close(self) -> None:
        """Close the file; what was not committed is lost."""
        os.close(self._fd)

    def _is_wasteful(self) -> bool:
        return len(self._sizes) > 1 and self.size > SLACK * self._alive + 2 * self._segment_bytes

    def _clean(self) -> None:
        """Write some of what is alive in the oldest segment anew."""
        residents = self._residents[min(self._sizes)]
        for key in list(residents)[:CLEANED_A_COMMIT]:
            self.put(key, self._values[key])

    def _drop_empty_segments(self) -> None:
        """Remove segments oldest first, so that an erasure never goes before what it erases."""
        for number in sorted(self._sizes):
            if number == self._number or self._residents[number]:
                return
            self._path(number).unlink(missing_ok=True)
            del self._sizes[number], self._residents[number]

    def _forget(self, key: bytes) -> None:
        value = self._values.pop(key, None)
        if value is not None:
            self._alive -= segment.record_size(key, value)
            del self._residents[self._homes.pop(key)][key]

    def _replay(self) -> None:
        for path in sorted(self._directory.glob(f"*{_SUFFIX}")):
            number = int(path.stem)
            self._sizes[number] = path.stat().st_size
            self._residents[number] = {}
            for key, value in segment.read(path):
                self._forget(key)
                if value is not None:
                    self._values[key] = value
                    self._homes[key] = number
                    self._residents[number][key] = None
                    self._alive += segment.record_size(key, value)

    def _open_segment(self) -> None:
        self._number = max(self._sizes, default=0) + 1
        self._fd = segment.create(self._path(self._number))
        self._sizes[self._number] = 0
        self._residents[self._number] = {}

    def _path(self, number: int) -> Path:
        return self._directory / f"{number:010d}{_SUFFIX}"


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
