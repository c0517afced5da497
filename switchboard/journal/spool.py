"""cdr.jsonl as a spool: what of it, and of the files that it was rotated into, is to be shipped, part by part.

Theory. A file is known by its *key*, the print of its first record, not by its name or inode. So it is the same file
when it was rotated, compressed, copied to another disk or restored from a backup. A *place* in it says how much of it
has been shipped, and has the print of what stands there. If something else stands there (the file was truncated, or
edited), the place is of no use, and the file is read from its beginning: what is shipped twice makes no second row.
"""

import bz2
import gzip
import hashlib
import lzma
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Final, NamedTuple

from switchboard.journal.record import parse_line

PART_BYTES: Final = 160_000
"""About 450 lines."""
MAX_FILES: Final = 200
"""Rotated files that are looked at, the newest."""
_LINE_BYTES: Final = 65_536
_SEEN_BYTES: Final = 512
"""Before a place: more than the last line."""
_Open = Callable[[Path], IO[bytes]]
_COMPRESSED: Final[dict[str, _Open]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}  # type: ignore[dict-item]


class Place(NamedTuple):
    """How much of a file has been shipped: `offset` octets. `seen`: the print of what is before it."""

    key: str
    offset: int
    seen: str


class Part(NamedTuple):
    """Whole lines, and the place behind them. `damaged`: lines that were left out, too long for a record."""

    lines: list[bytes]
    place: Place
    damaged: int


class SpoolFile:
    """One file that is open for reading. OSError, EOFError, lzma.LZMAError if it cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        opener = _COMPRESSED.get(path.suffix)
        self.is_compressed = opener is not None
        self._file = opener(path) if opener else path.open("rb", buffering=0)
        status = path.stat() if opener else os.fstat(self._file.fileno())
        self.inode = status.st_ino

    def key(self) -> str:
        """Empty while it has no record. Other lines may stand in front, but not too many."""
        octets = self._read(0, _LINE_BYTES)
        for line in BytesIO(octets):
            if line.endswith(b"\n") and parse_line(line):
                return _print_of(line)
        return _print_of(octets) if len(octets) == _LINE_BYTES else ""

    def start(self) -> Place:
        """Its beginning."""
        return Place(self.key(), 0, _print_of(b""))

    def has(self, place: Place) -> bool:
        """Whether the place is one of this file as it is now."""
        return place.key == self.key() and self._seen_at(place.offset) == place.seen

    def read(self, place: Place) -> Part:
        """Some lines from the place on; none if there is no other whole line."""
        octets = self._read(place.offset, PART_BYTES)
        whole = octets.rfind(b"\n") + 1
        if not whole and len(octets) == PART_BYTES:
            return self._skip_line(place)
        end = place.offset + whole
        lines = octets[:whole].split(b"\n")[:-1]
        return Part(lines, place._replace(offset=end, seen=self._seen_at(end)), 0)

    def rest(self, place: Place) -> bytes:
        """What stands behind the last whole line, or some of it."""
        return self._read(place.offset, PART_BYTES)

    def count_from(self, offset: int) -> int:
        """How many lines stand there."""
        count = 0
        while octets := self._read(offset, PART_BYTES):
            count += octets.count(b"\n")
            offset += len(octets)
        return count

    def close(self) -> None:
        """Let go of it."""
        self._file.close()

    def _skip_line(self, place: Place) -> Part:
        end = place.offset
        while octets := self._read(end, PART_BYTES):
            newline = octets.find(b"\n")
            if newline >= 0:
                end += newline + 1
                return Part([], place._replace(offset=end, seen=self._seen_at(end)), 1)
            end += len(octets)
        return Part([], place, 0)

    def _seen_at(self, offset: int) -> str:
        """The print of what is before the offset; "" if the file is shorter."""
        start = max(0, offset - _SEEN_BYTES)
        octets = self._read(start, offset - start)
        return _print_of(octets) if len(octets) == offset - start else ""

    def _read(self, start: int, length: int) -> bytes:
        self._file.seek(start)
        return self._file.read(length) if length else b""


def _print_of(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()[:32]


class Spool:
    """cdr.jsonl, at `path`, and its rotated files, whose names begin with its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def has_left(self, inode: int) -> bool:
        """Whether the journal writes to another file than this one: it has begun that."""
        with suppress(FileNotFoundError):
            status = self.path.stat()
            return status.st_ino != inode and status.st_size > 0
        return False

    def inodes(self) -> frozenset[int]:
        """Of the rotated files that have something. OSError of their directory."""
        return frozenset(status.st_ino for status, _ in self._files() if status.st_size)

    def rotated(self) -> Iterator[SpoolFile]:
        """Those that grow no more, oldest first, as far as they can be opened. OSError of their directory."""
        aged = sorted((status.st_mtime_ns, path) for status, path in self._files())
        for _, path in aged[-MAX_FILES:]:
            with suppress(OSError):
                yield SpoolFile(path)

    def _files(self) -> Iterator[tuple[os.stat_result, Path]]:
        name = self.path.name
        with os.scandir(self.path.parent) as entries:
            for each in entries:
                if each.name.startswith((f"{name}.", f"{name}-")):
                    with suppress(FileNotFoundError):
                        if each.is_file():
                            yield each.stat(), self.path.with_name(each.name)
