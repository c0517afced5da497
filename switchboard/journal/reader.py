"""Reads cdr.jsonl for people's tools, as a whole or, for those on other hosts, in parts."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from switchboard.journal.record import CallDetailRecord, parse_line

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
