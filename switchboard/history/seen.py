"""A message as a tap showed it, and the fields that are looked at before it is parsed."""

import re
from enum import IntEnum
from typing import Any, NamedTuple

from switchboard.bus.tap import call_id_on_wire
from switchboard.sip.fields import text_of
from switchboard.sip.flow import format_hop


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


_CSEQ = re.compile(rb"\n[Cc][Ss][Ee][Qq][ \t]*:[ \t]*([0-9]+)[ \t]+([^\s]+)")
_TOP_VIA = re.compile(
    rb"\n(?:[Vv][Ii][Aa]|[Vv])[ \t]*:[ \t]*[Ss][Ii][Pp][ \t]*/[ \t]*2\.0[ \t]*/[ \t]*([A-Za-z]+)"
)
_STATUS = re.compile(rb"SIP/2\.0[ \t]+([1-6][0-9][0-9])[ \t]*([^\r\n]*)", re.IGNORECASE)
_METHOD = re.compile(rb"([A-Za-z0-9\-.!%*_+`'~]+)[ \t]")


def transport_of(raw: bytes) -> str:
    """How a message travels: its top Via, of which sender and receiver agree, says so; UDP if it has none."""
    found = _TOP_VIA.search(raw)
    return found[1].decode("ascii").upper() if found else "UDP"


def call_id_of(raw: bytes) -> str:
    """The Call-ID, as `readable`; "" if there is none."""
    return readable(text_of(call_id_on_wire(raw)))


def readable(text: str) -> str:
    """The same for SQLite and terminals: what stands for bytes that are no UTF-8 becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def status_of(raw: bytes) -> tuple[int, str]:
    """The status and reason phrase of a response; (0, "") of a request."""
    match = _STATUS.match(raw)
    return (int(match[1]), match[2].decode("utf-8", "replace").strip()) if match else (0, "")


def method_of(raw: bytes) -> str:
    """The method of a request; of a response the one that its CSeq names."""
    if status_of(raw)[0]:
        match = _CSEQ.search(raw)
        return match[2].decode("latin-1") if match else ""
    match = _METHOD.match(raw)
    return match[1].decode("latin-1") if match else ""
