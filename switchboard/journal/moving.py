"""Copies records of calls between files like cdr.jsonl and a database; what is there already is not copied again."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from switchboard.journal.ledger import RowsRefused
from switchboard.journal.row import Row
from switchboard.journal.spool import SpoolFile


class Table(Protocol):
    """A database's side; RemoteError."""

    def add(self, rows: Sequence[Row]) -> int:
        """Add those that are not there; return how many these were. RowsRefused."""

    def pages(self) -> Iterable[list[Row]]:
        """All rows, some at a time, as the calls ended."""


class Step(NamedTuple):
    """What one step has done: `read` records or lines, `added` of them, `damaged` without a record, `refused` ones."""

    read: int
    added: int
    damaged: int = 0
    refused: int = 0


def into_table(path: Path, switchboard: str, table: Table) -> Iterator[Step]:
    """Add the records of a file, a rotated one too. `switchboard`: whose they are where a line does not say.

    OSError, EOFError, lzma.LZMAError, zlib.error of the file; RemoteError.
    """
    for lines, damaged in _parts(path):
        rows = [row for line in lines if (row := Row.of(line, switchboard))]
        count = len(lines) + damaged
        added, refused = _add(table, rows)
        yield Step(count, added, count - len(rows), refused)


def _add(table: Table, rows: Sequence[Row]) -> tuple[int, int]:
    """How many were added, and refused; in halves, so that only those are left out that cannot be stored."""
    try:
        return table.add(rows) if rows else 0, 0
    except RowsRefused:
        if len(rows) == 1:
            return 0, 1
        half = len(rows) // 2
        (added, refused), (more, others) = _add(table, rows[:half]), _add(table, rows[half:])
        return added + more, refused + others


def into_file(table: Table, path: Path, switchboard: str) -> Iterator[Step]:
    """Append to a file what it lacks; all of it is on the disk at the end. OSError, RemoteError.

    Nobody else may write to the file meanwhile. Remembers 16 octets of each of its lines. `switchboard`: as above.
    """
    found = set(_identities(path, switchboard)) if path.exists() else set()
    with path.open("a+b") as file:
        if file.tell() and not _ends_a_line(file):
            file.write(b"\n")
        for page in table.pages():
            rows = [row for row in page if row.id.bytes not in found]
            file.writelines(row.to_line() for row in rows)
            yield Step(len(page), len(rows))
        file.flush()
        os.fsync(file.fileno())


def _identities(path: Path, switchboard: str) -> Iterator[bytes]:
    for lines, _ in _parts(path):
        yield from (row.id.bytes for line in lines if (row := Row.of(line, switchboard)))


def _parts(path: Path) -> Iterator[tuple[list[bytes], int]]:
    """Lines, the last one whether it is whole or not, and how many were too long besides."""
    with closing(SpoolFile(path)) as file:
        place = file.start()
        while (part := file.read(place)).place != place:
            yield part.lines, part.damaged
            place = part.place
        if rest := file.rest(place):
            yield [rest], 0


def _ends_a_line(file: IO[bytes]) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"
