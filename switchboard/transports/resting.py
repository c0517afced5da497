"""Connections of an edge-stream over which nothing has happened since it has them: numbers, and nothing else.

Theory. After a restart thousands of connections are there at once, most of them silent for a long time. What a
connection needs (a socket object, a channel with its framing, keys and buffers) is in the kernel and the shared table
anyway, and is made of that when the first octet comes or goes.
"""

import os
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from switchboard.transports.keeper_words import Given

_SERIAL, _IS_STRANGER = 0, 3
NOBODY: Final = -1


class Rested(NamedTuple):
    """One of them: as the keeper gave it, its descriptor, where its states are, since when we have it (monotonic s)."""

    given: Given
    fd: int
    slot: int | None
    since: float


class Resting:
    """All of them, by descriptor and by serial number. Owns the descriptors as long as they are here."""

    def __init__(self) -> None:
        self._by_fd: dict[int, Rested] = {}
        self._by_serial: dict[bytes, int] = {}
        self.strangers = 0

    def __len__(self) -> int:
        return len(self._by_fd)

    def add(self, rested: Rested) -> None:
        """One rests from now on."""
        self._by_fd[rested.fd] = rested
        self._by_serial[rested.given[_SERIAL]] = rested.fd
        self.strangers += rested.given[_IS_STRANGER]

    def find(self, serial: bytes) -> int:
        """Return its descriptor; NOBODY if it does not rest."""
        return self._by_serial.get(serial, NOBODY)

    def take(self, fd: int) -> Rested | None:
        """One rests no more; None if none did."""
        rested = self._by_fd.pop(fd, None)
        if rested is not None:
            del self._by_serial[rested.given[_SERIAL]]
            self.strangers -= rested.given[_IS_STRANGER]
        return rested

    def silent(self, is_too_long: Callable[[bool, float], bool], now: float) -> list[int]:
        """Return those that have been silent too long: `is_too_long(is_stranger, silent_s)`."""
        return [
            each.fd
            for each in self._by_fd.values()
            if is_too_long(each.given[_IS_STRANGER], now - each.since)
        ]

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._by_fd))

    def close(self) -> None:
        """Let go of all."""
        for fd in self._by_fd:
            os.close(fd)
