"""Reads the octets of a SQLite file without SQLite, for files that SQLite cannot open, or finds damaged.

Theory. The content is the pages of the file, and over them the pages in its write-ahead log, commit by commit
(SQLite's "Database File Format", https://sqlite.org/fileformat2.html, and "WAL-mode File Format"). SQLite ends the
log at the first frame with a wrong checksum, and silently drops what follows. Here such a frame is skipped and
counted. Each checksum is computed from the one that is stored with the frame before, so one wrong frame does not
affect the next.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from switchboard.busy import still_busy

MAGIC: Final = b"SQLite format 3\0"
PAGE_BYTES: Final = 4096
"""Of a file whose header cannot be read: all of ours have it."""
_WAL_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MOST: Final = 0xFFFFFFFF
Pair = tuple[int, int]


class Frame(NamedTuple):
    """A page in the write-ahead log. `size`: pages of the whole file, if it ends a commit, else 0.

    One that is not whole may say anything.
    """

    page: int
    size: int
    octets: bytes
    is_whole: bool


@dataclass(slots=True)
class Image:
    """The pages of a file, one behind the other.

    `skipped`: damaged frames of its write-ahead log; `stale`: the pages that would be later ones with these.
    """

    page_size: int
    octets: bytearray
    skipped: int = 0
    stale: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        """How many pages there are."""
        return len(self.octets) // self.page_size

    def page(self, number: int) -> bytes:
        """A page by its number, from 1."""
        return bytes(self.octets[(number - 1) * self.page_size : number * self.page_size])

    def without_log(self) -> bytes:
        """The file as it is once nothing waits in a log, for `sqlite3.Connection.deserialize`."""
        whole = bytearray(self.octets)
        whole[18:20] = b"\1\1"
        return bytes(whole)


OnCommit = Callable[[Image, set[int]], None]


def wal_of(path: Path) -> Path:
    """The write-ahead log of the file `path`."""
    return path.with_name(path.name + "-wal")


def shm_of(path: Path) -> Path:
    """The index of that log, which processes share."""
    return path.with_name(path.name + "-shm")


def read_image(path: Path, on_commit: OnCommit | None = None) -> Image:
    """The file with all that its log holds. OSError; FileNotFoundError if neither is there.

    `on_commit` sees it after each commit of the log, with the numbers of the pages that this has changed.
    """
    log = wal_of(path)
    wal = log.read_bytes() if log.exists() else b""
    try:
        octets = bytearray(path.read_bytes())
    except FileNotFoundError:
        if not wal:
            raise
        octets = bytearray()
    image = Image(_page_size(octets, wal), octets)
    del octets[len(octets) // image.page_size * image.page_size :]
    waiting: list[Frame] = []
    for frame in frames_of(wal, image.page_size):
        if not frame.is_whole:
            image.skipped += 1
            image.stale.add(frame.page)
            continue
        image.stale.discard(frame.page)
        waiting.append(frame)
        if frame.size:
            _apply(image, waiting)
            if on_commit:
                on_commit(image, {each.page for each in waiting})
            waiting = []
    return image


def has_lost_frames(path: Path, seen: int) -> bool:
    """Whether the log of `path` has commits behind the `seen` frames that SQLite takes for all of it."""
    log = wal_of(path)
    wal = log.read_bytes() if log.exists() else b""
    page_size = _page_size(b"", wal)
    salts = _salts(wal)
    step = _FRAME.size + page_size
    starts = range(_WAL_HEADER.size + seen * step, len(wal) - step + 1, step)
    if not any(_FRAME.unpack_from(wal, start)[2:4] == salts for start in starts):
        return False  # a beginning that was never finished, or what an earlier round of the log has left
    return sum(1 for _ in frames_of(wal, page_size)) > seen


def frames_of(wal: bytes, page_size: int) -> Iterator[Frame]:
    """The frames of commits, in order, up to the last one that is whole."""
    if len(wal) < _WAL_HEADER.size:
        return
    salts, order = _salts(wal), _order(wal)
    seeds = [_stored(wal, 24), _checksum(wal[:24], (0, 0), order)]
    step = _FRAME.size + page_size
    waiting: list[Frame] = []
    for start in range(_WAL_HEADER.size, len(wal) - step + 1, step):
        still_busy()
        page, size, *_ = _FRAME.unpack_from(wal, start)
        stored = _stored(wal, start + 16)
        octets = wal[start + _FRAME.size : start + step]
        computed = [stored]
        if _FRAME.unpack_from(wal, start)[2:4] == salts and page:
            head = wal[start : start + 8] + octets
            computed = [_checksum(head, seed, order) for seed in dict.fromkeys(seeds)]
            is_whole = stored in computed
        else:
            is_whole = False
        waiting.append(Frame(page, size, octets, is_whole))
        seeds = [stored] if is_whole else [stored, *computed]
        if is_whole and size:
            yield from waiting
            waiting = []


def _salts(wal: bytes) -> Pair:
    """Those of the frames that count. A header that is damaged does not tell: the first frame does."""
    if len(wal) < _WAL_HEADER.size:
        return 0, 0
    at = 16
    if _checksum(wal[:24], (0, 0), _order(wal)) != _stored(wal, 24) and len(wal) >= _WAL_HEADER.size + 24:
        at = _WAL_HEADER.size + 8
    first, second = struct.unpack_from(">2I", wal, at)
    return first, second


def _order(wal: bytes) -> str:
    """Of the octets of the words that are summed."""
    return ">" if wal[3] & 1 else "<"


def _stored(octets: bytes, start: int) -> Pair:
    first, second = struct.unpack_from(">2I", octets, start)
    return first, second


def _checksum(octets: bytes, seed: Pair, order: str) -> Pair:
    first, second = seed
    words = struct.unpack(f"{order}{len(octets) // 4}I", octets)
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = first + one + second & _MOST
        second = second + other + first & _MOST
    return first, second


def _page_size(octets: bytes | bytearray, wal: bytes) -> int:
    sizes = []
    if octets.startswith(MAGIC):
        (size,) = struct.unpack_from(">H", octets, 16)
        sizes.append(65536 if size == 1 else size)
    if len(wal) >= _WAL_HEADER.size:
        sizes.append(_WAL_HEADER.unpack_from(wal)[2])
    return next((size for size in sizes if 512 <= size <= 65536 and size & size - 1 == 0), PAGE_BYTES)


def _apply(image: Image, frames: list[Frame]) -> None:
    for frame in frames:
        start = (frame.page - 1) * image.page_size
        if start > len(image.octets):
            image.octets.extend(bytes(start - len(image.octets)))
        image.octets[start : start + image.page_size] = frame.octets
    size = frames[-1].size * image.page_size
    image.octets.extend(bytes(max(0, size - len(image.octets))))
    del image.octets[size:]
