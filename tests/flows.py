"""Flows of UDP, and runs of items, for tests."""

from collections.abc import Iterable, Iterator
from typing import Any

from msgpack import Unpacker  # type: ignore[import-untyped]

from switchboard.sip.flow import UDP, Flow


def udp(host: str, port: int, local: str = "") -> Flow:
    """The flow to `host` and `port` from our address `local`."""
    return Flow(UDP, local, host, port)


def packed(host: str, port: int, local: str = "") -> bytes:
    """The same as it crosses the bus."""
    return udp(host, port, local).pack()


def items_of(runs: Iterable[bytes | tuple[int, bytes]]) -> Iterator[list[Any]]:
    """The items in what a packed outbox gives back."""
    for run in runs:
        unpacker = Unpacker(unicode_errors="surrogateescape")
        unpacker.feed(run if isinstance(run, bytes) else run[1])
        yield from unpacker
