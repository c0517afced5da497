"""The edge's parent keeps the connections of its edge-streams, so that these may be replaced (unix(7), SCM_RIGHTS).

The keeper accepts connections, and holds a duplicate of each descriptor. Where connections begin with a TLS handshake,
which no other process can go on with, it leaves accepting to the edge-stream, if that is the only one, and is given
a duplicate before the first message leaves the edge-stream. It listens at a Unix socket in the run
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
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from switchboard import codec
from switchboard.sip.flow import SERIAL_OCTETS, is_secure
from switchboard.transports.keeper_words import AT_ONCE, MESSAGE_OCTETS, Accepted, Handed, Word
from switchboard.transports.kept import Kept, KeptStream
from switchboard.transports.stream_table import make_table
from switchboard.transports.tcp_sockets import defer_accept, set_options, set_up

_ACCEPTED_A_ROUND = 64
_PAUSE_S = 1.0
"""Nobody is accepted for so long when the system has no descriptor left."""


class Store(Protocol):
    """Who keeps descriptors for the next keeper: tables, and connections with their edge-stream and serial."""

    def take_tables(self) -> dict[int, int]: ...
    def take_connections(self) -> list[tuple[int, bytes, Kept]]: ...
    def keep_table(self, stream: int, fd: int) -> None: ...
    def keep(self, stream: int, serial: bytes, kept: Kept) -> None: ...
    def forget(self, stream: int, serial: bytes, kept: Kept) -> None: ...


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
        self._strangers: dict[bytes, Kept] = {}
        self._strangers_of: dict[str, dict[bytes, Kept]] = {}
        self._of_source: Counter[str] = Counter()
        self._store, self._stored = store, set[bytes]()
        tables = store.take_tables() if store else {}
        lent = [(each.fileno(), transport) for each, transport in listeners if is_secure(transport)]
        lent = lent if streams == 1 else []  # otherwise they are to have as many connections each
        self._streams = [
            KeptStream(number, self._strangers, self._table_of(number, tables), lent)
            for number in range(streams)
        ]
        self._take_over(tables)
        self._lent = {fd for fd, _ in lent}
        self._listeners = listeners
        self._paused_until: float | None = None
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

    def _table_of(self, number: int, tables: Mapping[int, int]) -> int:
        if number in tables:
            return tables[number]
        table = make_table()
        if self._store:
            self._store.keep_table(number, table)
        return table

    def _take_over(self, tables: Mapping[int, int]) -> None:
        """Take what a keeper before us had; without its table nobody knows how far a connection is."""
        for stream, serial, kept in self._store.take_connections() if self._store else ():
            if stream < len(self._streams) and stream in tables:
                self._streams[stream].kept[serial] = kept
                self._of_source[kept.source] += 1
                self._stored.add(serial)
            elif self._store:
                os.close(kept.fd)
                self._store.forget(stream, serial, kept)
        for number, table in tables.items():
            if number >= len(self._streams):
                os.close(table)

    def _listen(self) -> None:
        for listener, transport in self._listeners:
            set_options(listener)  # whoever is accepted has them, too
            if listener.fileno() in self._lent:
                defer_accept(listener)
                continue
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
            self._admit(sock, str(address[0]), address[1], transport)
        self._give()

    def _give(self) -> None:
        for number, stream in enumerate(self._streams):
            if stream.has_to_give:
                self._serve(number, stream.give)

    def _pause(self) -> None:
        if not self._shed(self._strangers):
            self._paused_until = time.monotonic() + _PAUSE_S
            for listener, _ in self._listeners:
                self.watched.pop(listener.fileno(), None)

    def _admit(
        self, sock: socket.socket, source: str, port: int, transport: int, handed: Handed | None = None
    ) -> None:
        """`handed`: somebody else has accepted it."""
        if not self._has_room(source):
            self.refused += 1
            sock.close()
            return
        stream = min(self._streams, key=lambda each: len(each.kept))
        serial = secrets.token_bytes(SERIAL_OCTETS)
        kept = Kept(sock.detach(), transport, source, port, time.time())
        self._note_stranger(serial, kept)
        stream.add(serial, kept, handed)

    def _note_stranger(self, serial: bytes, kept: Kept) -> None:
        self.accepted += 1
        self._strangers[serial] = self._strangers_of.setdefault(kept.source, {})[serial] = kept
        self._of_source[kept.source] += 1

    def _has_room(self, source: str) -> bool:
        is_over = self._of_source[source] >= self._most_of_source and not self._is_exempt(source)
        if is_over and not self._shed(self._strangers_of.get(source, {})):
            return False
        return self.count < self._most or self._shed(self._strangers)

    def _keep_made(self, stream: KeptStream, serial: bytes, kept: Kept) -> None:
        """One of ours counts, too: others choose whom we connect to."""
        if self._has_room(kept.source):
            stream.kept[serial] = kept
            self._of_source[kept.source] += 1
            self._store_known(stream, serial)
            return
        self._refuse(kept)

    def _keep_accepted(self, stream: KeptStream, accepted: Accepted, fd: int) -> None:
        serial, transport, source, port, since_at = accepted
        kept = Kept(fd, transport, source, port, since_at)
        if self._has_room(source):
            self._note_stranger(serial, kept)
            stream.kept[serial] = kept
        else:
            self._refuse(kept)

    def _refuse(self, kept: Kept) -> None:
        self.refused += 1
        with suppress(OSError), socket.socket(fileno=kept.fd) as sock:
            sock.shutdown(socket.SHUT_RDWR)

    def _shed(self, strangers: MutableMapping[bytes, Kept]) -> bool:
        """End the oldest of them; False if there is none."""
        for serial, kept in strangers.items():
            with suppress(OSError), socket.socket(fileno=os.dup(kept.fd)) as sock:
                sock.shutdown(socket.SHUT_RDWR)
            self.shed += 1
            self._forget(serial)
            return True
        return False

    def _forget(self, serial: bytes) -> None:
        for stream in self._streams:
            kept = stream.remove(serial)
            if kept is not None:
                if self._store and serial in self._stored:
                    self._stored.remove(serial)
                    self._store.forget(stream.number, serial, kept)
                os.close(kept.fd)
                self._know(serial)
                self._of_source[kept.source] -= 1
                if not self._of_source[kept.source]:
                    del self._of_source[kept.source]

    def _know(self, serial: bytes) -> None:
        """It is no stranger's any more."""
        kept = self._strangers.pop(serial, None)
        if kept is not None:
            of_source = self._strangers_of[kept.source]
            del of_source[serial]
            if not of_source:
                del self._strangers_of[kept.source]

    def _store_known(self, stream: KeptStream, serial: bytes) -> None:
        if self._store and serial in stream.kept and serial not in self._stored:
            self._stored.add(serial)
            self._store.keep(stream.number, serial, stream.kept[serial])

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
            message, fds, _, _ = socket.recv_fds(link, MESSAGE_OCTETS, 1, socket.MSG_CMSG_CLOEXEC)
            match codec.unpack(message), fds:
                case [Word.HELLO, int(number)], [] if 0 <= number < len(self._streams):
                    self._begin(number, link)
                    return
                case [Word.LENT, int(transport), str(source), list(handed)], [given]:
                    self._take_lent(socket.socket(fileno=given), source, transport, handed)
                case _:
                    for each in fds:
                        os.close(each)
        except (OSError, codec.CodecError):
            pass
        del self.watched[fd]
        link.close()

    def _take_lent(self, sock: socket.socket, source: str, transport: int, handed: Handed) -> None:
        try:
            set_up(sock)
            port = sock.getpeername()[1]
        except OSError:  # it has ended
            sock.close()
            return
        self._admit(sock, source, port, transport, handed)
        self._give()

    def _begin(self, number: int, link: socket.socket) -> None:
        stream = self._streams[number]
        if stream.link is not None:
            self._hear_last(stream)
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
                self._hear_last(stream)
                self.watched.pop(stream.link.fileno(), None)
                stream.link.close()
                stream.link = None

    def _hear_last(self, stream: KeptStream) -> None:
        """Take what a process has said before it went."""
        with suppress(OSError, codec.CodecError):
            self._hear(stream)

    def _hear(self, stream: KeptStream) -> None:
        """Take what a process says. OSError: it is gone."""
        assert stream.link is not None
        while True:
            message, fds = _receive(stream.link)
            if not message:
                raise ConnectionResetError
            self._take(stream, codec.unpack(message), fds)

    def _take(self, stream: KeptStream, said: Any, fds: list[int]) -> None:
        match said, fds:
            case [Word.GOT, int(number)], []:
                with suppress(OSError):  # it is gone, and what it has said before is heard all the same
                    stream.got(number)
            case [Word.MADE, bytes(serial), int(transport), str(source), int(port), float(since_at)], [fd]:
                self._keep_made(stream, serial, Kept(fd, transport, source, port, since_at))
            case [Word.ACCEPTED, list(several)], fds if len(several) == len(fds):
                for accepted, fd in zip(several, fds, strict=True):
                    self._keep_accepted(stream, accepted, fd)
            case [Word.CLOSED, list(serials)], []:
                for serial in serials:
                    self._forget(serial)
            case [Word.KNOWN, list(serials)], []:
                for serial in serials:
                    self._know(serial)
                    self._store_known(stream, serial)
            case [Word.USERS, list(users)], []:
                stream.note_users(users)


def _receive(link: socket.socket) -> tuple[bytes, list[int]]:
    """Return the next message and its descriptors; b"" at the end. OSError.

    That somebody has gone without reading all is told once, before what it has said.
    """
    try:
        message, fds, _, _ = socket.recv_fds(link, MESSAGE_OCTETS, AT_ONCE, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        message, fds, _, _ = socket.recv_fds(link, MESSAGE_OCTETS, AT_ONCE, socket.MSG_CMSG_CLOEXEC)
    return message, fds
