"""cdr.jsonl: appended to durably, its end mended after a crash; read as a whole or in parts."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from switchboard.journal.record import CallDetailRecord, parse_line
from switchboard.storage import room
from switchboard.storage.durable import sync_directory

MAX_RECOVERED_BYTES = 64_000_000
"""How far back the end of the file is read at most: far more than one batch."""


class Mark(NamedTuple):
    """A place in one file: where its next line begins. (0, 0): no file yet."""

    inode: int
    offset: int


class RecordWriter:
    """Owns cdr.jsonl. OSError passes through: records that cannot be written are not to be acknowledged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = self._open()
        self._whole: int | None = None
        """Where the last whole line ends, after a try that failed."""

    @property
    def mark(self) -> Mark:
        """The end of the file."""
        status = os.fstat(self._fd)
        return Mark(status.st_ino, status.st_size)

    def append(self, lines: bytes) -> Mark:
        """Append the lines and wait until they are on disk; returns where they end. OSError: none of them is there.

        A file that was moved or removed meanwhile (log rotation) is left alone, and a new one begun.
        """
        self._reopen_if_moved()
        end = self.mark.offset
        if self._whole is not None:
            end = min(end, self._whole)
            room.claim(self._fd, end, len(lines))
        self._whole = end
        room.append(self._fd, end, lines, os.fsync)
        self._whole = None
        return self.mark

    def records_beyond(self, mark: Mark) -> list[CallDetailRecord]:
        """The records behind a mark; all, if the mark is of another file or the file has become shorter."""
        inode, size = self.mark
        start = mark.offset if mark.inode == inode and mark.offset <= size else 0
        start = max(start, size - MAX_RECOVERED_BYTES)
        lines = os.pread(self._fd, size - start, start).splitlines()
        return [record for record in map(parse_line, lines) if record is not None]

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def _open(self) -> int:
        fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            _mend(fd)
            sync_directory(self.path.parent)
        except OSError:
            os.close(fd)
            raise
        return fd

    def _reopen_if_moved(self) -> None:
        try:
            moved = os.stat(self.path).st_ino != self.mark.inode
        except FileNotFoundError:
            moved = True
        if moved:
            fd = self._open()
            os.close(self._fd)
            self._fd, self._whole = fd, None


def _mend(fd: int) -> None:
    """Remove a torn last line; one that only lacks its newline gets it."""
    size = os.fstat(fd).st_size
    start = max(0, size - MAX_RECOVERED_BYTES)
    whole, newline, last = os.pread(fd, size - start, start).rpartition(b"\n")
    if not last:
        return
    if parse_line(last) is not None:
        os.write(fd, b"\n")
    else:
        os.ftruncate(fd, start + len(whole) + len(newline))
    os.fsync(fd)


PART_BYTES = 1_000_000


def read_records(path: Path, on_skip: Callable[[int], None] | None = None) -> Iterator[CallDetailRecord]:
    """Yield the records of a journal file; none if there is no file yet. OSError if it cannot be read.

    `on_skip` as in `parse_records`.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        yield from parse_records(file, on_skip)


def parse_records(
    lines: Iterable[bytes], on_skip: Callable[[int], None] | None = None
) -> Iterator[CallDetailRecord]:
    """Yield the records of a journal's lines in their order.

    A line that holds no record (torn, or somebody else's) is skipped; `on_skip` is told its number, from 1.
    """
    for number, line in enumerate(lines, 1):
        record = parse_line(line)
        if record is not None:
            yield record
        elif on_skip is not None:
            on_skip(number)


def read_part(path: Path, position: int) -> list[bytes]:
    """Return whole lines from the byte `position` on, about PART_BYTES; [] at the end of the file."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return []
    with file:
        file.seek(position)
        return file.readlines(PART_BYTES)


def read_part_before(path: Path, end: int) -> tuple[int, list[bytes]]:
    """Return where whole lines begin that end at the byte `end` (below 0: of the file), and these, about PART_BYTES.

    (0, []) if nothing is before it. Within a line that is longer than a part: no lines.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return 0, []
    with file:
        size = file.seek(0, os.SEEK_END)
        end = size if end < 0 else min(end, size)
        start = max(0, end - PART_BYTES)
        file.seek(start)
        part = file.read(end - start)
    whole = part.find(b"\n") + 1 if start else 0
    if start and whole in (0, len(part)):
        return start, []
    return start + whole, part[whole:].splitlines(keepends=True)


def lines_from_end(path: Path) -> Iterator[bytes]:
    """Yield the lines of a journal file, the last first, as far as they are wanted. OSError if it cannot be read."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        end, rest = file.seek(0, os.SEEK_END), b""
        while end:
            start = max(0, end - PART_BYTES)
            file.seek(start)
            first, *whole = (file.read(end - start) + rest).split(b"\n")
            yield from (line + b"\n" for line in reversed(whole) if line)
            end, rest = start, first
        if rest:
            yield rest + b"\n"
