"""The connections that the keeper (`keeping.py`) has for one edge-stream, and how they get to its process."""

import socket
from collections.abc import Collection
from itertools import islice
from typing import NamedTuple

from switchboard import codec
from switchboard.transports.keeper_words import AT_ONCE, Given, Word
from switchboard.transports.stream_table import make_table


class Kept(NamedTuple):
    """A connection: our duplicate of its descriptor; where it comes from; since when (epoch s)."""

    fd: int
    transport: int
    source: str
    port: int
    since_at: float

    def given(self, serial: bytes, is_stranger: bool, was_given: bool) -> Given:
        """As an edge-stream gets it."""
        return [serial, self.transport, self.since_at, is_stranger, was_given, self.source, self.port]


class KeptStream:
    """Those of one edge-stream, and its process as long as that is there. `strangers`: the serials of strangers'."""

    def __init__(self, strangers: Collection[bytes]) -> None:
        self.table = make_table()
        self.kept: dict[bytes, Kept] = {}
        self.link: socket.socket | None = None
        self._strangers = strangers
        self._to_give: dict[bytes, Kept] = {}
        self._fresh: set[bytes] = set()
        """Which no process has had."""
        self._on_their_way = 0
        self._is_complete = True

    @property
    def has_to_give(self) -> bool:
        """Whether its process, if there is one, has not been given all."""
        return bool(self._to_give)

    def add(self, serial: bytes, kept: Kept, *, is_fresh: bool) -> None:
        """One is to be given, which is fresh unless somebody has read from it."""
        self.kept[serial] = self._to_give[serial] = kept
        if is_fresh:
            self._fresh.add(serial)

    def remove(self, serial: bytes) -> Kept | None:
        """One has ended; return what it was."""
        kept = self.kept.pop(serial, None)
        self._to_give.pop(serial, None)
        self._fresh.discard(serial)
        return kept

    def begin(self, link: socket.socket) -> None:
        """A new process is there. OSError."""
        if self.link is not None:
            self.link.close()
        self.link, self._on_their_way, self._is_complete = link, 0, False
        self._to_give = dict(self.kept)
        socket.send_fds(link, [codec.pack([Word.TABLE])], [self.table])
        self.give()

    def got(self, number: int) -> None:
        """The process has so many more of those that it was given. OSError."""
        self._on_their_way = max(0, self._on_their_way - number)
        self.give()

    def give(self) -> None:
        """Give the next ones. OSError."""
        if self.link is None:
            return
        if batch := list(islice(self._to_give.items(), AT_ONCE - self._on_their_way)):
            given = [
                kept.given(serial, serial in self._strangers, serial not in self._fresh)
                for serial, kept in batch
            ]
            socket.send_fds(self.link, [codec.pack([Word.TAKE, given])], [kept.fd for _, kept in batch])
            for serial, _ in batch:
                del self._to_give[serial]
            self._fresh.difference_update(serial for serial, _ in batch)
            self._on_their_way += len(batch)
        if not self._is_complete and not self._to_give:
            self.link.send(codec.pack([Word.ALL]))
            self._is_complete = True
