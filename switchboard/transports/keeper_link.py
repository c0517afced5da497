"""The keeper of connections (`keeping.py`) as an edge-stream sees it."""

import os
import socket
from contextlib import suppress
from itertools import islice
from pathlib import Path

from switchboard import codec
from switchboard.transports.keeper_words import AT_ONCE, GOT_AFTER, MESSAGE_OCTETS, Given, Word

_SERIALS_AT_ONCE = 1000
_USERS_AT_ONCE = 100
_ANSWER_S = 5.0
_HANDED = 8


class KeeperLink:
    """The keeper as an edge-stream sees it. OSError from any method: it is gone.

    `fd` is readable when it has something to say. `table`: the descriptor of our table.
    """

    def __init__(self, path: Path, instance: int) -> None:
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._link.settimeout(_ANSWER_S)
        self._link.connect(str(path))
        self._link.send(codec.pack([Word.HELLO, instance]))
        _, (self.table,), _, _ = socket.recv_fds(self._link, MESSAGE_OCTETS, 1)
        self._link.setblocking(False)
        self.is_complete = False
        """Whether all connections are here that there were."""
        self._got, self._is_urgent = 0, False
        self._ended: list[bytes] = []
        self._known: list[bytes] = []
        self._users: dict[bytes, str] = {}

    @property
    def fd(self) -> int:
        """To be watched."""
        return self._link.fileno()

    def hear(self) -> list[tuple[Given, int]]:
        """Return connections that are given to us, with their descriptors; more come after a `flush`."""
        try:
            message, fds, _, _ = socket.recv_fds(self._link, MESSAGE_OCTETS, AT_ONCE, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return []
        if not message:
            raise ConnectionResetError
        word, *given = codec.unpack(message)
        if word == Word.ALL:
            self.is_complete = True
            return []
        self._got += len(given[0])
        self._is_urgent |= any(each[_HANDED] for each in given[0])
        for serial, *_ in given[0][len(fds) :]:  # for which the system had no descriptor left
            self.tell_ended(serial)
        return list(zip(given[0], fds, strict=False))

    def tell_made(
        self, serial: bytes, transport: int, source: str, port: int, since_at: float, fd: int
    ) -> None:
        """We have made a connection."""
        said = [Word.MADE, serial, transport, source, port, since_at]
        socket.send_fds(self._link, [codec.pack(said)], [fd])

    def tell_ended(self, serial: bytes) -> None:
        """A connection has ended; told at the next `flush`."""
        self._ended.append(serial)

    def tell_known(self, serial: bytes) -> None:
        """A connection is no stranger's; told at the next `flush`."""
        self._known.append(serial)

    def tell_user(self, serial: bytes, user: str) -> None:
        """Somebody has registered over a connection; told at the next `flush`."""
        self._users[serial] = user

    def flush(self) -> None:
        """Tell what was gathered, or as much as the keeper takes now."""
        with suppress(BlockingIOError):
            if self._got >= (1 if self._is_urgent or not self.is_complete else GOT_AFTER):
                self._link.send(codec.pack([Word.GOT, self._got]))
                self._got, self._is_urgent = 0, False
            while self._known:
                self._link.send(codec.pack([Word.KNOWN, self._known[:_SERIALS_AT_ONCE]]))
                del self._known[:_SERIALS_AT_ONCE]
            while self._users:
                users = list(islice(self._users.items(), _USERS_AT_ONCE))
                self._link.send(codec.pack([Word.USERS, [list(each) for each in users]]))
                for serial, _ in users:
                    del self._users[serial]
            while self._ended:
                self._link.send(codec.pack([Word.CLOSED, self._ended[:_SERIALS_AT_ONCE]]))
                del self._ended[:_SERIALS_AT_ONCE]

    def close(self) -> None:
        """Let go of the keeper, who keeps what it has."""
        self._link.close()
        os.close(self.table)
