"""The connections that the keeper (`keeping.py`) has for one edge-stream, and how they get to its process."""

import socket
from collections.abc import Collection, Iterable
from itertools import islice
from typing import NamedTuple

from switchboard import codec
from switchboard.transports.keeper_words import AT_ONCE, Given, Handed, Word


class Kept(NamedTuple):
    """A connection: our duplicate of its descriptor; where it comes from; since when (epoch s)."""

    fd: int
    transport: int
    source: str
    port: int
    since_at: float


class KeptStream:
    """Those of edge-stream `number`, and its process as long as that is there. `strangers`: the serials of strangers'.

    `table`: the descriptor of its table. `listeners`: the descriptors of those where its process accepts, and their
    transports.
    """

    def __init__(
        self,
        number: int,
        strangers: Collection[bytes],
        table: int,
        listeners: Collection[tuple[int, int]] = (),
    ) -> None:
        self.number = number
        self.table = table
        self._listeners = listeners
        self.kept: dict[bytes, Kept] = {}
        self.link: socket.socket | None = None
        self._strangers = strangers
        self._to_give: dict[bytes, Kept] = {}
        self._fresh: set[bytes] = set()
        """Which no process has had."""
        self._users: dict[bytes, str] = {}
        self._handed: dict[bytes, Handed] = {}
        self._to_confirm: dict[bytes, int] = {}
        """Of those with something handed: how many the process will have got with it."""
        self._given = self._got = 0
        self._is_complete = True

    @property
    def has_to_give(self) -> bool:
        """Whether its process, if there is one, has not been given all."""
        return bool(self._to_give)

    def add(self, serial: bytes, kept: Kept, handed: Handed | None) -> None:
        """One is to be given. `handed`: somebody else has accepted it."""
        self.kept[serial] = self._to_give[serial] = kept
        if handed is None:
            self._fresh.add(serial)
        elif handed:
            self._handed[serial] = handed

    def note_users(self, users: Iterable[tuple[bytes, str]]) -> None:
        """Who has registered over which."""
        for serial, user in users:
            if serial in self.kept:
                self._users[serial] = user

    def remove(self, serial: bytes) -> Kept | None:
        """One has ended; return what it was."""
        kept = self.kept.pop(serial, None)
        for each in (self._to_give, self._users, self._handed, self._to_confirm):
            each.pop(serial, None)
        self._fresh.discard(serial)
        return kept

    def begin(self, link: socket.socket) -> None:
        """A new process is there. OSError."""
        if self.link is not None:
            self.link.close()
        self.link, self._given, self._got, self._is_complete = link, 0, 0, False
        self._to_confirm.clear()
        self._to_give = dict(self.kept)
        transports = [transport for _, transport in self._listeners]
        fds = [self.table, *(fd for fd, _ in self._listeners)]
        socket.send_fds(link, [codec.pack([Word.TABLE, transports])], fds)
        self.give()

    def got(self, number: int) -> None:
        """The process has so many more of those that it was given. OSError.

        What was handed with them is in its table: nobody else is to have that.
        """
        self._got = min(self._given, self._got + number)
        for serial in [serial for serial, place in self._to_confirm.items() if place <= self._got]:
            del self._handed[serial], self._to_confirm[serial]
        self.give()

    def give(self) -> None:
        """Give the next ones. OSError."""
        if self.link is None:
            return
        if batch := list(islice(self._to_give.items(), AT_ONCE - (self._given - self._got))):
            given = [self._describe(serial, kept) for serial, kept in batch]
            socket.send_fds(self.link, [codec.pack([Word.TAKE, given])], [kept.fd for _, kept in batch])
            for serial, _ in batch:
                self._note_given(serial)
        if not self._is_complete and not self._to_give:
            self.link.send(codec.pack([Word.ALL]))
            self._is_complete = True

    def _describe(self, serial: bytes, kept: Kept) -> Given:
        is_stranger, was_given = serial in self._strangers, serial not in self._fresh
        user, handed = self._users.get(serial, ""), self._handed.get(serial, [])
        of_it = [serial, kept.transport, kept.since_at, is_stranger, was_given, kept.source, kept.port]
        return [*of_it, user, handed]

    def _note_given(self, serial: bytes) -> None:
        self._given += 1
        del self._to_give[serial]
        self._fresh.discard(serial)
        if serial in self._handed:
            self._to_confirm[serial] = self._given
