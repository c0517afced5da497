"""The edge's parent lends its sockets to workers of its host, so that they send directly (unix(7)).

The lender listens at a Unix socket in the run directory and passes the sockets to each process that connects
(SCM_RIGHTS). The connection stays open, and its end shows that the lender is gone. Then the borrower closes the
sockets, because no other process can bind their port while they are open. It asks again until there is another
lender.
"""

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

NAME: Final = "edge.sockets"
LOOK_S: Final = 0.25
"""Between two looks of a borrower at its lender."""
SOON_S: Final = 0.02
"""The same while it waits for what it has asked for."""
_MOST = 8
_GREETING = b"\1"


class Lender:
    """Lends `sockets` at `path`. Its owner calls `lend` when `fd` is readable."""

    def __init__(self, path: Path, sockets: Sequence[socket.socket]) -> None:
        path.unlink(missing_ok=True)  # who held the component before has gone
        self._fds = [each.fileno() for each in sockets]
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        self._listener.bind(str(path))
        self._listener.listen()
        self._borrowers: list[socket.socket] = []

    def watch(self) -> dict[int, Callable[[], None]]:
        """What to call when a descriptor is readable."""
        return {self._listener.fileno(): self.lend}

    def lend(self) -> None:
        """Give the sockets to new borrowers; forget those that are gone."""
        for gone in [each for each in self._borrowers if _has_gone(each)]:
            gone.close()
            self._borrowers.remove(gone)
        with suppress(OSError):
            while True:
                borrower, _ = self._listener.accept()
                borrower.setblocking(False)
                socket.send_fds(borrower, [_GREETING], self._fds)
                self._borrowers.append(borrower)

    def close(self) -> None:
        """Take leave: borrowers let go of the sockets."""
        for each in (self._listener, *self._borrowers):
            each.close()


class Borrower:
    """Holds what is lent at `path`; `sockets` is empty while there is nobody. `due_at`: monotonic s."""

    def __init__(self, path: Path) -> None:
        self.sockets: list[socket.socket] = []
        self.due_at = 0.0
        self._path = path
        self._lender: socket.socket | None = None

    def look(self, now: float) -> bool:
        """Ask, take, or let go of the sockets, if it is time. Whether they are others now."""
        if now < self.due_at:
            return False
        before = self.sockets
        try:
            self._look()
        except OSError:
            self.close()
        self.due_at = now + (SOON_S if self._lender and not self.sockets else LOOK_S)
        return self.sockets is not before

    def close(self) -> None:
        """Let go of all."""
        for each in (*self.sockets, *([self._lender] if self._lender else [])):
            each.close()
        self._lender = None
        if self.sockets:
            self.sockets = []

    def _look(self) -> None:
        if self._lender is None:
            self._lender = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._lender.setblocking(False)
            self._lender.connect(str(self._path))
        with suppress(BlockingIOError):
            greeting, fds, _, _ = socket.recv_fds(self._lender, 1, _MOST)
            if not greeting:
                self.close()
            elif fds:
                self.sockets = [socket.socket(fileno=fd) for fd in fds]
                for fd in fds:
                    os.set_inheritable(fd, False)


def _has_gone(borrower: socket.socket) -> bool:
    try:
        return borrower.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
