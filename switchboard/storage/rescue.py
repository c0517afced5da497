"""Reads what is readable of a damaged SQLite file, page by page: neither its trees nor its header need to be whole.

Theory. A page with rows is self-describing: it says so itself, and where each row is
(https://sqlite.org/fileformat2.html#b_tree_pages). So no tree is needed to find the rows. The number and types of a
row's values tell to which table it belongs.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from switchboard.busy import still_busy
from switchboard.storage.image import MAGIC, Image

_TABLE_LEAF, _TABLE_INNER, _INDEX_LEAF, _INDEX_INNER = 0x0D, 0x05, 0x0A, 0x02
_HEADS: Final = {_TABLE_LEAF: 8, _TABLE_INNER: 12, _INDEX_LEAF: 8, _INDEX_INNER: 12}
_INTEGERS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_LONGEST: Final = 9


class Row(NamedTuple):
    """A row as it lies on the disk. `number`: its rowid; None: it is of an index, or of a table WITHOUT ROWID."""

    number: int | None
    values: Sequence[Any]


class Damaged(Exception):
    """Here is no row, or not all of it."""


class Rescue:
    """Reads the rows of an `image`. `unreadable`: pages that held something of which nothing, or not all, was read."""

    def __init__(self, image: Image) -> None:
        self.unreadable = 0
        self._image = image
        self._used: set[int] = set()  # pages that hold no rows, but the rest of long ones
        self._free: set[int] = set()

    def rows(self) -> Iterator[Row]:
        """All rows that can be read, in no order; those of pages that are free are gone."""
        self._free = self._free_pages()
        unclear = []
        for number in range(1, len(self._image) + 1):
            still_busy()
            if number in self._free:
                continue
            page = self._image.page(number)
            kind = page[_head_at(number)]
            if kind in _HEADS:
                yield from self._rows_of(page, _head_at(number), kind)
            else:
                unclear.append(number)
        self.unreadable += len([number for number in unclear if number not in self._used])

    def rows_of(self, number: int) -> Iterator[Row]:
        """Those of one page."""
        page = self._image.page(number)
        kind = page[_head_at(number)]
        if kind in _HEADS:
            yield from self._rows_of(page, _head_at(number), kind)

    def _rows_of(self, page: bytes, head: int, kind: int) -> Iterator[Row]:
        start = head + _HEADS[kind]
        (count,) = struct.unpack_from(">H", page, head + 3)
        if kind == _TABLE_INNER:
            return
        if start + 2 * count > len(page):
            self.unreadable += 1
            return
        is_whole = True
        for (place,) in struct.iter_unpack(">H", page[start : start + 2 * count]):
            try:
                yield self._row_at(page, place + 4 * (kind == _INDEX_INNER), kind)
            except (Damaged, IndexError, struct.error, UnicodeDecodeError):
                is_whole = False
        self.unreadable += not is_whole

    def _row_at(self, page: bytes, place: int, kind: int) -> Row:
        size, place = _number_at(page, place)
        number = None
        if kind == _TABLE_LEAF:
            number, place = _number_at(page, place)
        return Row(number, _values_of(self._payload(page, place, size, kind)))

    def _payload(self, page: bytes, place: int, size: int, kind: int) -> bytes:
        """The octets of a row: what is too long for its page goes on in others."""
        usable = len(page)
        if size > usable * len(self._image):
            raise Damaged
        most = usable - 35 if kind == _TABLE_LEAF else (usable - 12) * 64 // 255 - 23
        if size <= most:
            return _taken(page, place, size)
        least = (usable - 12) * 32 // 255 - 23
        here = least + (size - least) % (usable - 4)
        here = here if here <= most else least
        octets = _taken(page, place, here)
        (following,) = struct.unpack_from(">I", page, place + here)
        return octets + self._overflow(following, size - here)

    def _overflow(self, number: int, size: int) -> bytes:
        parts, seen = [], []
        while size > 0:
            if (
                not 0 < number <= len(self._image)
                or number in seen
                or number in self._free | self._image.stale
            ):
                raise Damaged
            seen.append(number)
            page = self._image.page(number)
            parts.append(page[4 : 4 + size])
            size -= len(parts[-1])
            (number,) = struct.unpack_from(">I", page)
        self._used.update(seen)
        return b"".join(parts)

    def _free_pages(self) -> set[int]:
        """Those that hold nothing any more, as far as their list can be read."""
        free: set[int] = set()
        first = self._image.page(1)
        if not first.startswith(MAGIC):
            return free
        (trunk,) = struct.unpack_from(">I", first, 32)
        while 1 < trunk <= len(self._image) and trunk not in free:
            free.add(trunk)
            trunk, count, *leaves = struct.unpack(f">{self._image.page_size // 4}I", self._image.page(trunk))
            if count > len(leaves):
                break
            free.update(leaves[:count])
        return free


def _head_at(number: int) -> int:
    """Where the page of that number says what it holds: the first one begins with the file's header."""
    return 100 if number == 1 else 0


def _number_at(octets: bytes, place: int) -> tuple[int, int]:
    """A variable-length integer, and where it ends."""
    value = 0
    for at in range(place, place + _LONGEST - 1):
        value = value << 7 | octets[at] & 0x7F
        if octets[at] < 0x80:
            return value, at + 1
    value = value << 8 | octets[place + _LONGEST - 1]
    return value - (1 << 64) * (value >> 63), place + _LONGEST


def _values_of(payload: bytes) -> list[Any]:
    """The values of a row (https://sqlite.org/fileformat2.html#record_format)."""
    end, place = _number_at(payload, 0)
    kinds = []
    while place < end:
        kind, place = _number_at(payload, place)
        kinds.append(kind)
    values = []
    for kind in kinds:
        value, place = _value_at(payload, place, kind)
        values.append(value)
    if place != len(payload):
        raise Damaged
    return values


def _value_at(payload: bytes, place: int, kind: int) -> tuple[Any, int]:
    if kind >= 12:
        end = place + (kind - 12) // 2
        octets = _taken(payload, place, end - place)
        return octets.decode() if kind & 1 else octets, end
    if kind in (0, 8, 9):
        return (None, 0, 1)[max(0, kind - 7)], place
    if kind == 7:
        return struct.unpack_from(">d", payload, place)[0], place + 8
    if kind not in _INTEGERS:
        raise Damaged
    size = _INTEGERS[kind]
    return int.from_bytes(_taken(payload, place, size), "big", signed=True), place + size


def _taken(octets: bytes, place: int, size: int) -> bytes:
    if place < 0 or size < 0 or place + size > len(octets):
        raise Damaged
    return octets[place : place + size]
