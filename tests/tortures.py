"""The torture messages of RFC 4475 and RFC 5118, and what is expected of each (`torture/expected.toml`)."""

import tomllib
from pathlib import Path
from typing import Any

from switchboard.sip.headers import Header
from switchboard.sip.message import Message

TORTURE = Path(__file__).parent / "torture"
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((TORTURE / "expected.toml").read_text("utf-8"))
SOURCE = ("192.0.2.77", 5060)
NEXT_HOP = ("192.0.2.99", 5060)
TOUCHED = (Header.VIA, Header.ROUTE, Header.MAX_FORWARDS, Header.RECORD_ROUTE)


def load(name: str) -> bytes:
    return (TORTURE / f"{name}.dat").read_bytes()


def named(outcome: str) -> list[str]:
    return [name for name, expected in EXPECTED.items() if expected["outcome"] == outcome]


def untouched(message: Message) -> list[bytes]:
    """The header lines that a proxy may not change, in order."""
    lines = (message.lines(number) for number in Header if number not in TOUCHED)
    return [message.raw[start:end] for start, end in sorted(span for spans in lines for span in spans)]
