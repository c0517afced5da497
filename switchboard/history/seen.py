"""A message as a tap showed it: masked for people, and the fields that are looked at before it is parsed."""

import re
from enum import IntEnum
from typing import Any, Final, NamedTuple

from switchboard.bus.tap import call_id_on_wire
from switchboard.sip.fields import text_of
from switchboard.sip.flow import format_hop

MASKED: Final = b"***"
_CREDENTIALS = re.compile(
    rb"^((?:proxy-)?authorization[ \t]*:)[^\r\n]*+(?:\r?\n[ \t][^\r\n]*+)*+", re.IGNORECASE | re.MULTILINE
)
_PASSWORD = re.compile(rb"(sips?:[^\s:@<>\"]*+:)[^\s@<>\"]*+(?=@)", re.IGNORECASE)
_MAYBE_PASSWORD = re.compile(rb"sips?:[^\s:@<>\"]*+:[^\s@<>\"]*+@")
_MEDIA_KEY = re.compile(rb"^(k=|a=crypto:[^\r\n]*?inline:)[^\r\n]*+", re.IGNORECASE | re.MULTILINE)


def mask(raw: bytes) -> bytes:
    """Return `raw` (untrusted, whole or in part) with `***` for every secret in it; else as it stands.

    Secret are: credentials (RFC 3261 §22.4), passwords in URIs (§19.1.1), keys of media (RFC 4568, k=). The body keeps
    its length, which Content-Length says: a key becomes as many stars.
    """
    if not _may_hold_secrets(raw.lower()):
        return raw
    raw = _CREDENTIALS.sub(rb"\1 " + MASKED, raw)
    raw = _PASSWORD.sub(rb"\1" + MASKED, raw)
    return _MEDIA_KEY.sub(_stars, raw)


def _stars(key: re.Match[bytes]) -> bytes:
    return key[1] + b"*" * (len(key[0]) - len(key[1]))


def _may_hold_secrets(lowered: bytes) -> bool:
    """Spares most messages the search, which costs more than all else that is done to them."""
    return (
        b"authorization" in lowered
        or b"crypto:" in lowered
        or b"\nk=" in lowered
        or lowered.startswith(b"k=")
        or _MAYBE_PASSWORD.search(lowered) is not None
    )


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
