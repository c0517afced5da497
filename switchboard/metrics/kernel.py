"""Datagrams that the kernel dropped before the edge could read them: its count is in /proc/net/udp."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TABLES = ("/proc/net/udp", "/proc/net/udp6")


def kernel_drops(port: int) -> int:
    """How many of those for our UDP port, since its sockets were made (I/O)."""
    return sum(dropped_at(port, text) for text in _read_tables())


def dropped_at(port: int, table: str) -> int:
    """The drops of that port: of each line the last field, where the second is ADDRESS:PORT in hex."""
    rows = (line.split() for line in table.splitlines()[1:])
    return sum(int(row[-1]) for row in rows if row and int(row[1].rpartition(":")[2], 16) == port)


def _read_tables() -> Iterator[str]:
    for path in _TABLES:
        with suppress(OSError):  # no Linux, or no IPv6
            yield Path(path).read_text()
