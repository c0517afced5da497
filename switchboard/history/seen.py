"""One message that was seen on the wire, or between two workers."""

from enum import IntEnum
from typing import Any, NamedTuple

from switchboard.sip.host import format_hop


class Direction(IntEnum):
    """Which way a message went. The numbers are kept in the history's store."""

    IN = 0
    """From the wire to the switchboard."""
    OUT = 1
    """From the switchboard to the wire."""
    HOP = 2
    """From one worker to another."""


class Address(NamedTuple):
    """A host without brackets and its UDP port; of a worker its name (`router.0`) and 0."""

    host: str
    port: int

    def __str__(self) -> str:
        return format_hop(self.host, self.port) if self.port else self.host


class Seen(NamedTuple):
    """A message, when it was seen, and between whom."""

    at_ns: int
    """Wall-clock nanoseconds since the epoch."""
    source: Address
    destination: Address
    raw: bytes
    direction: Direction
    hop: str = ""
    """The worker that took it from the wire (IN), or that is told it (HOP); else ""."""

    @property
    def at(self) -> float:
        """The same instant in seconds since the epoch."""
        return self.at_ns / 1e9

    def to_row(self) -> list[Any]:
        """The message as plain values, for the codec."""
        return [self.at_ns, *self.source, *self.destination, self.raw, int(self.direction), self.hop]

    @classmethod
    def from_row(cls, row: list[Any]) -> "Seen":
        """What `to_row` was given."""
        at_ns, source, source_port, destination, destination_port, raw, direction, hop = row
        return cls(
            at_ns,
            Address(source, source_port),
            Address(destination, destination_port),
            raw,
            Direction(direction),
            hop,
        )
