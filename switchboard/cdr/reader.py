"""Reads cdr.jsonl for people's tools."""

from collections.abc import Callable, Iterator
from pathlib import Path

from switchboard.cdr.record import CallDetailRecord, parse_line


def read_records(path: Path, on_skip: Callable[[int], None] | None = None) -> Iterator[CallDetailRecord]:
    """Yield the records of a journal file in their order; none if there is no file yet.

    A line that holds no record (torn, or somebody else's) is skipped; `on_skip` is told its number, from 1.
    Raises OSError if the file is there but cannot be read.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for number, line in enumerate(file, 1):
            record = parse_line(line)
            if record is not None:
                yield record
            elif on_skip is not None:
                on_skip(number)
