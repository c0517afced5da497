"""The nursery as a parent sees it: a process that loads the code of workers once, and forks those that are to follow.

Theory. A restart loads the code that is on the disk now, so its processes cannot be forks of the parent. Loaded in each
of them, it costs a third of a second a worker, and memory that nobody shares. So for a restart of many workers the
parent has a nursery, which loads the code of one worker after the other, as it is asked for, and forks each of them.
The forks are orphans at once, and so children of the parent (`child.py`). The nursery ends with its last order.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from switchboard import codec
from switchboard.supervisor.child import Child, ForkedProcess

NURSERY_FD: Final = "SWITCHBOARD_NURSERY_FD"
MODULE: Final = "switchboard.workers.nursery"
UNUSED_S: Final = 20.0
"""It ends by itself after so long: more than one restart takes."""
ORDER_OCTETS: Final = 1 << 16
_ROOM_FOR_NAME: Final = "-" * 10
"""Forks write their names over the command line."""


class Nursery:
    """Owned by a Parent, which passes `now` (monotonic s); never blocks. OSError: there is no process to give.

    `pass_fds`: descriptors that workers inherit.
    """

    def __init__(self, pass_fds: Iterable[int], now: float) -> None:
        self.until = now + UNUSED_S
        self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-m", MODULE, _ROOM_FOR_NAME],
                pass_fds=(its.fileno(), *pass_fds),
                env={**os.environ, NURSERY_FD: str(its.fileno())},
                process_group=0,
            )

    def fork(
        self, command: Sequence[str], pass_fds: Sequence[int], variables: Mapping[str, str], now: float
    ) -> Child:
        """Return a child that it will fork, for a worker that `command` (PYTHON -m MODULE …) would start. OSError."""
        self.until = now + UNUSED_S
        module, *arguments = command[2:]

        def start(fds: Sequence[int], added: Mapping[str, str]) -> ForkedProcess:
            ready, go, *inherited = fds
            forked = ForkedProcess()
            order = codec.pack([module, arguments, inherited, dict(added)])
            socket.send_fds(self._socket, [order], [ready, go])
            return forked

        return Child.begin(start, pass_fds, variables)

    def close(self) -> None:
        """Let it end, once it has done what it was asked for."""
        self._socket.close()

    def has_ended(self) -> bool:
        """Whether it has ended; then it is no zombie any more."""
        return self._process.poll() is not None


class Nurseries:
    """The one that a parent has now, if any (`current`), and those that are ending."""

    def __init__(self) -> None:
        self.current: Nursery | None = None
        self._ending: list[Nursery] = []

    def open(self, pass_fds: Iterable[int], now: float) -> None:
        """Have one. Where the system has no process to give there is none, and workers are launched."""
        with suppress(OSError):
            self.current = Nursery(pass_fds, now)

    def close(self) -> None:
        """Have none."""
        if self.current is not None:
            self.current.close()
            self._ending.append(self.current)
            self.current = None

    def next_deadline(self) -> float | None:
        """When `tend` is due; so it is after each signal."""
        return self.current.until if self.current else None

    def tend(self, now: float) -> None:
        """End one that nobody uses, and forget those that have ended."""
        if self.current is not None and (now >= self.current.until or self.current.has_ended()):
            self.close()
        self._ending = [each for each in self._ending if not each.has_ended()]
