"""The keeper of connections (`keeping.py`) as an edge-stream sees it."""

import os
import socket
import time
from contextlib import suppress
from itertools import islice
from math import inf
from pathlib import Path
from typing import Final

from switchboard import codec
from switchboard.transports.keeper_words import AT_ONCE, GOT_AFTER, MESSAGE_OCTETS, Accepted, Given, Word

ACCEPTED_TOLD_S: Final = 0.1
"""Connections that we have accepted are told together: so long after the first one, or before a message leaves us."""
_MOST_LISTENERS = 16
_RETRY_S = 0.05
_SERIALS_AT_ONCE = 1000
_USERS_AT_ONCE = 100
_ANSWER_S = 5.0
_HANDED = 8


class KeeperLink:
    """The keeper as an edge-stream sees it. OSError from any method: it is gone.

    `fd` is readable when it has something to say. `table`: the descriptor of our table. `listeners`: where we accept,
    and of which transport. `due_at`: when to call `flush` (monotonic s).
    """

    def __init__(self, path: Path, instance: int) -> None:
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._link.settimeout(_ANSWER_S)
        self._link.connect(str(path))
        self._link.send(codec.pack([Word.HELLO, instance]))
        said, fds, _, _ = socket.recv_fds(
            self._link, MESSAGE_OCTETS, 1 + _MOST_LISTENERS, socket.MSG_CMSG_CLOEXEC
        )
        self.table = fds[0]
        transports = [each for given in codec.unpack(said)[1:] for each in given]
        self.listeners = [
            (socket.socket(fileno=fd), each) for fd, each in zip(fds[1:], transports, strict=True)
        ]
        self._link.setblocking(False)
        self.due_at = inf
        self.is_complete = False
        """Whether all connections are here that there were."""
        self._got, self._is_urgent = 0, False
        self._ended: list[bytes] = []
        self._known: list[bytes] = []
        self._users: dict[bytes, str] = {}
        self._accepted: dict[bytes, tuple[Accepted, int]] = {}

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
        self.due_at = 0.0
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

    def tell_accepted(self, accepted: Accepted, fd: int) -> None:
        """We have accepted a connection; told within ACCEPTED_TOLD_S, or after `hurry`."""
        self._accepted[accepted[0]] = accepted, fd
        self.due_at = min(self.due_at, time.monotonic() + ACCEPTED_TOLD_S)

    def hurry(self, serial: bytes) -> None:
        """What we are about to say of a connection to others is not to outlive it: it is told at the next `flush`."""
        if serial in self._accepted:
            self.due_at = 0.0

    def tell_ended(self, serial: bytes) -> None:
        """A connection has ended; told at the next `flush`."""
        if self._accepted.pop(serial, None) is None:
            self._ended.append(serial)
            self.due_at = 0.0

    def tell_known(self, serial: bytes) -> None:
        """A connection is no stranger's; told at the next `flush`."""
        self._known.append(serial)
        self.due_at = 0.0

    def tell_user(self, serial: bytes, user: str) -> None:
        """Somebody has registered over a connection; told at the next `flush`."""
        self._users[serial] = user
        self.due_at = 0.0

    def flush(self) -> None:
        """Tell what was gathered, or as much as the keeper takes now."""
        self.due_at = time.monotonic() + _RETRY_S
        with suppress(BlockingIOError):
            while self._accepted:
                batch = list(islice(self._accepted.items(), AT_ONCE))
                said, fds = [each for _, (each, _) in batch], [fd for _, (_, fd) in batch]
                socket.send_fds(self._link, [codec.pack([Word.ACCEPTED, said])], fds)
                for serial, _ in batch:
                    del self._accepted[serial]
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
            self.due_at = inf

    def close(self) -> None:
        """Let go of the keeper, who keeps what it has."""
        for listener, _ in self.listeners:
            listener.close()
        self._link.close()
        os.close(self.table)
