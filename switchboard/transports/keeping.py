"""The edge's parent keeps the connections of its edge-streams, so that these may be replaced (unix(7), SCM_RIGHTS).

The keeper accepts connections, and holds a duplicate of each descriptor. It listens at a Unix socket in the run
directory. An edge-stream connects, says its number, and gets the table of its output and all connections that are
its; later it gets the new ones, and tells which it has made itself, which have ended, which are of somebody whom it
knows, and of whom. The end of the Unix connection shows that the process is gone. Another process of ours (the console)
may give the keeper a connection that it has accepted; if that is in TLS, with the states of both its directions.

A connection is a *stranger's* until somebody has registered or called over it. The number of connections is bounded,
of one source and of all; beyond, the oldest stranger goes, and if there is none, the newcomer.
"""

import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from switchboard import codec
from switchboard.sip.flow import SERIAL_OCTETS
from switchboard.transports.stream_table import make_table

NAME: Final = "edge.streams"
AT_ONCE: Final = 32
"""Connections in one message: the kernel bounds how many descriptors are on their way."""
MESSAGE_OCTETS: Final = 1 << 16
_ACCEPTED_A_ROUND = 64
_PAUSE_S = 1.0
"""Nobody is accepted for so long when the system has no descriptor left."""
Given = list[Any]
"""Of a connection: serial number, transport, since when (epoch s), whether it is a stranger's, whether a process before
has had it, the address of the peer, which may be behind a proxy, the user, and what the one who gave it has said of it
(`Handed`, or [])."""
Handed = list[Any]
"""Of a connection in TLS, when it was given: how many octets the kernel had given to us, and the channel's state of
reading behind them; how many it had accepted from us, and that of writing. Secret."""


class Word(IntEnum):
    """What an edge-stream says (HELLO to GOT), and the keeper."""

    HELLO = 0
    """Which it is."""
    MADE = 1
    """It has made a connection; with the descriptor."""
    CLOSED = 2
    """Connections have ended."""
    KNOWN = 3
    """Connections are no stranger's."""
    GOT = 4
    """It has got what it was given last."""
    TABLE = 5
    """Here is the table; with the descriptor."""
    TAKE = 6
    """Here are connections; with their descriptors."""
    ALL = 7
    """Those were all there are."""
    LENT = 8
    """Somebody else gives a connection, whose handshake has ended; with the descriptor."""
    USERS = 9
    """Who has registered over connections."""


def visit(path: Path) -> socket.socket:
    """Return a way to the keeper, for `lend`. OSError: it is not there."""
    desk = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        desk.setblocking(False)
        desk.connect(str(path))
    except OSError:
        desk.close()
        raise
    return desk


def lend(
    desk: socket.socket, connection: socket.socket, transport: int, source: str, handed: Handed | None = None
) -> None:
    """Give the keeper a connection that we have accepted, and whose handshake has ended. OSError.

    `source`: the address of the peer, numeric, as whoever is before us has told it. `handed`: of one in TLS.
    """
    socket.send_fds(desk, [codec.pack([Word.LENT, transport, source, handed or []])], [connection.fileno()])


class Stored(NamedTuple):
    """A connection of somebody whom we know, as the next keeper has to know it."""

    stream: int
    serial: bytes
    transport: int
    since_at: float
    source: str


class Store(Protocol):
    """Who keeps descriptors for the next keeper."""

    def take_tables(self) -> dict[int, int]: ...
    def take_connections(self) -> list[tuple[Stored, int]]: ...
    def keep_table(self, stream: int, fd: int) -> None: ...
    def keep(self, stored: Stored, fd: int) -> None: ...
    def forget(self, stored: Stored) -> None: ...


@dataclass(slots=True)
class _Kept:
    fd: int
    serial: bytes
    transport: int
    source: str
    since_at: float
    is_stranger: bool = True
    was_given: bool = False
    user: str = ""
    handed: Handed = field(default_factory=list)
    stored: Stored | None = None

    def given(self) -> Given:
        of_it = [self.serial, self.transport, self.since_at, self.is_stranger, self.was_given, self.source]
        return [*of_it, self.user, self.handed]


class _Stream:
    """One edge-stream: its connections, and its process as long as that is there."""

    def __init__(self, number: int, table: int) -> None:
        self.number = number
        self.table = table
        self.kept: dict[bytes, _Kept] = {}
        self.link: socket.socket | None = None
        self.to_give: dict[bytes, _Kept] = {}
        self.being_given: list[_Kept] = []
        self.is_taking = False
        self.is_complete = True

    def begin(self, link: socket.socket) -> None:
        """A new process is there."""
        if self.link is not None:
            self.link.close()
        self.link, self.is_taking, self.is_complete = link, False, False
        self.being_given = []
        self.to_give = dict(self.kept)
        socket.send_fds(link, [codec.pack([Word.TABLE])], [self.table])
        self.give()

    def give(self) -> None:
        """Give the next ones. OSError."""
        if self.link is None or self.is_taking:
            return
        if batch := list(islice(self.to_give.values(), AT_ONCE)):
            message = codec.pack([Word.TAKE, [each.given() for each in batch]])
            socket.send_fds(self.link, [message], [each.fd for each in batch])
            for each in batch:
                each.was_given = True
                del self.to_give[each.serial]
            self.is_taking, self.being_given = True, batch
        elif not self.is_complete:
            self.link.send(codec.pack([Word.ALL]))
            self.is_complete = True

    def got(self) -> None:
        """It has the last ones, and their states are in its table: nobody else is to have those."""
        for kept in self.being_given:
            kept.handed = []
        self.is_taking, self.being_given = False, []


class ConnectionKeeper:
    """Keeps the connections of `streams` edge-streams. `listeners`: sockets and the transports that they are of.

    `most`, `most_of_source`: connections in all, and of one source that is not exempt. `watched`: what to call when a
    descriptor is readable, kept up to date. `store` has what a keeper before us had, and keeps ours.
    """

    def __init__(
        self,
        path: Path,
        listeners: Sequence[tuple[socket.socket, int]],
        streams: int,
        most: int,
        most_of_source: int,
        is_exempt: Callable[[str], bool],
        store: Store | None = None,
    ) -> None:
        self.watched: MutableMapping[int, Callable[[], None]] = {}
        self.accepted = self.shed = self.refused = 0
        self._most, self._most_of_source, self._is_exempt = most, most_of_source, is_exempt
        self._store = store
        tables = store.take_tables() if store else {}
        self._streams = [self._open_stream(number, tables) for number in range(streams)]
        self._strangers: dict[bytes, _Kept] = {}
        self._sources: dict[str, dict[bytes, _Kept]] = {}
        self._listeners = listeners
        self._paused_until: float | None = None
        for stored, fd in store.take_connections() if store else ():
            self._take_over(stored, fd, stored.stream in tables)
        for number, table in tables.items():
            if number >= streams:
                os.close(table)
        path.unlink(missing_ok=True)  # who held the component before has gone
        self._desk = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._desk.setblocking(False)
        self._desk.bind(str(path))
        self._desk.listen()
        self.watched[self._desk.fileno()] = self._greet
        self._listen()

    @property
    def count(self) -> int:
        """How many connections there are."""
        return sum(len(each.kept) for each in self._streams)

    @property
    def strangers(self) -> int:
        """How many of them are strangers'."""
        return len(self._strangers)

    def next_deadline(self) -> float | None:
        """When to listen again, if the system had no descriptor left (monotonic s)."""
        return self._paused_until

    def handle_timer(self, now: float) -> None:
        """Listen again, if it is time."""
        if self._paused_until is not None and now >= self._paused_until:
            self._paused_until = None
            self._listen()

    def close(self) -> None:
        """End all connections."""
        for stream in self._streams:
            for kept in stream.kept.values():
                os.close(kept.fd)
            if stream.link is not None:
                stream.link.close()
            os.close(stream.table)
        self._desk.close()

    def _open_stream(self, number: int, tables: Mapping[int, int]) -> _Stream:
        table = tables.get(number)
        if table is None:
            table = make_table()
            if self._store:
                self._store.keep_table(number, table)
        return _Stream(number, table)

    def _take_over(self, stored: Stored, fd: int, has_table: bool) -> None:
        """A keeper before us has had it; without its table nobody knows how far it is."""
        if stored.stream < len(self._streams) and has_table:
            _, serial, transport, since_at, source = stored
            kept = _Kept(fd, serial, transport, source, since_at, False, True, stored=stored)
            self._keep(self._streams[stored.stream], kept)
            return
        os.close(fd)
        if self._store:
            self._store.forget(stored)

    def _store_known(self, stream: _Stream, kept: _Kept) -> None:
        if self._store and kept.stored is None:
            kept.stored = Stored(stream.number, kept.serial, kept.transport, kept.since_at, kept.source)
            self._store.keep(kept.stored, kept.fd)

    def _listen(self) -> None:
        for listener, transport in self._listeners:
            self.watched[listener.fileno()] = lambda listener=listener, transport=transport: (  # type: ignore[misc]
                self._accept(listener, transport)
            )

    def _accept(self, listener: socket.socket, transport: int) -> None:
        for _ in range(_ACCEPTED_A_ROUND):
            try:
                sock, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                break
            except OSError:
                self._pause()
                break
            self._admit(sock, str(address[0]), transport)
        self._give()

    def _give(self) -> None:
        for number, stream in enumerate(self._streams):
            self._serve(number, stream.give)

    def _pause(self) -> None:
        if not self._shed(self._strangers):
            self._paused_until = time.monotonic() + _PAUSE_S
            for listener, _ in self._listeners:
                self.watched.pop(listener.fileno(), None)

    def _admit(self, sock: socket.socket, source: str, transport: int, handed: Handed | None = None) -> None:
        """`handed`: somebody else has accepted it."""
        if not self._has_room(self._sources.get(source, {}), source):
            self.refused += 1
            sock.close()
        else:
            self.accepted += 1
            stream = min(self._streams, key=lambda each: len(each.kept))
            serial = secrets.token_bytes(SERIAL_OCTETS)
            kept = _Kept(sock.detach(), serial, transport, source, time.time(), was_given=handed is not None)
            kept.handed = handed or []
            self._keep(stream, kept)
            stream.to_give[serial] = stream.kept[serial]

    def _has_room(self, of_source: MutableMapping[bytes, _Kept], source: str) -> bool:
        is_over = len(of_source) >= self._most_of_source and not self._is_exempt(source)
        if is_over and not self._shed(of_source):
            return False
        return self.count < self._most or self._shed(self._strangers)

    def _keep(self, stream: _Stream, kept: _Kept) -> None:
        stream.kept[kept.serial] = kept
        if kept.is_stranger:
            self._strangers[kept.serial] = kept
        self._sources.setdefault(kept.source, {})[kept.serial] = kept

    def _keep_made(self, stream: _Stream, kept: _Kept) -> None:
        """One of ours counts, too: others choose whom we connect to."""
        if self._has_room(self._sources.get(kept.source, {}), kept.source):
            self._keep(stream, kept)
            self._store_known(stream, kept)
            return
        self.refused += 1
        with suppress(OSError), socket.socket(fileno=kept.fd) as sock:
            sock.shutdown(socket.SHUT_RDWR)

    def _shed(self, connections: MutableMapping[bytes, _Kept]) -> bool:
        """End the oldest stranger's of them; False if there is none."""
        for serial, kept in connections.items():
            if kept.is_stranger:
                with suppress(OSError), socket.socket(fileno=os.dup(kept.fd)) as sock:
                    sock.shutdown(socket.SHUT_RDWR)
                self.shed += 1
                self._forget(serial)
                return True
        return False

    def _forget(self, serial: bytes) -> None:
        for stream in self._streams:
            kept = stream.kept.pop(serial, None)
            if kept is not None:
                if self._store and kept.stored:
                    self._store.forget(kept.stored)
                os.close(kept.fd)
                stream.to_give.pop(serial, None)
                self._strangers.pop(serial, None)
                of_source = self._sources[kept.source]
                del of_source[serial]
                if not of_source:
                    del self._sources[kept.source]

    def _greet(self) -> None:
        with suppress(OSError):
            while True:
                link, _ = self._desk.accept()
                link.setblocking(False)
                self.watched[link.fileno()] = lambda link=link: self._hear_first(link)  # type: ignore[misc]

    def _hear_first(self, link: socket.socket) -> None:
        """A process says which edge-stream it is, or gives a connection."""
        fd = link.fileno()
        try:
            message, fds, _, _ = socket.recv_fds(link, MESSAGE_OCTETS, 1)
            match codec.unpack(message), fds:
                case [Word.HELLO, int(number)], [] if 0 <= number < len(self._streams):
                    self._begin(number, link)
                    return
                case [Word.LENT, int(transport), str(source), list(handed)], [given]:
                    os.set_inheritable(given, False)
                    self._admit(socket.socket(fileno=given), source, transport, handed)
                    self._give()
                case _:
                    for each in fds:
                        os.close(each)
        except (OSError, codec.CodecError):
            pass
        del self.watched[fd]
        link.close()

    def _begin(self, number: int, link: socket.socket) -> None:
        stream = self._streams[number]
        if stream.link is not None:
            with suppress(OSError, codec.CodecError):
                self._hear(stream)  # what the process before has said last
            self.watched.pop(stream.link.fileno(), None)
        self.watched[link.fileno()] = lambda: self._serve(number, lambda: self._hear(stream))
        self._serve(number, lambda: stream.begin(link))

    def _serve(self, number: int, action: Callable[[], None]) -> None:
        """Do something that fails when the process is gone."""
        stream = self._streams[number]
        try:
            action()
        except BlockingIOError:
            pass
        except (OSError, codec.CodecError):
            if stream.link is not None:
                self.watched.pop(stream.link.fileno(), None)
                stream.link.close()
                stream.link = None

    def _hear(self, stream: _Stream) -> None:
        """Take what a process says. OSError: it is gone."""
        assert stream.link is not None
        while True:
            message, fds = _receive(stream.link)
            if not message:
                raise ConnectionResetError
            for fd in fds:
                os.set_inheritable(fd, False)
            self._take(stream, codec.unpack(message), fds)

    def _take(self, stream: _Stream, said: Any, fds: list[int]) -> None:
        match said, fds:
            case [Word.GOT], []:
                stream.got()
                with suppress(OSError):  # it is gone, and what it has said before is heard all the same
                    stream.give()
            case [Word.MADE, bytes(serial), int(transport), str(source), float(since_at)], [fd]:
                self._keep_made(stream, _Kept(fd, serial, transport, source, since_at, False, True))
            case [Word.CLOSED, list(serials)], []:
                for serial in serials:
                    self._forget(serial)
            case [Word.KNOWN, list(serials)], []:
                for serial in serials:
                    self._know(stream, serial)
            case [Word.USERS, list(users)], []:
                for serial, user in users:
                    if serial in stream.kept:
                        stream.kept[serial].user = user

    def _know(self, stream: _Stream, serial: bytes) -> None:
        kept = stream.kept.get(serial)
        if kept is not None:
            kept.is_stranger = False
            self._strangers.pop(serial, None)
            self._store_known(stream, kept)


def _receive(link: socket.socket) -> tuple[bytes, list[int]]:
    """Return the next message and its descriptors; b"" at the end. OSError.

    That somebody has gone without reading all is told once, before what it has said.
    """
    try:
        message, fds, _, _ = socket.recv_fds(link, MESSAGE_OCTETS, 1)
    except ConnectionResetError:
        message, fds, _, _ = socket.recv_fds(link, MESSAGE_OCTETS, 1)
    return message, fds
