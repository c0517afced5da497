"""The worker's side of the handshake with its parent: wait for the go, report ready, end well, and not outlive the
parent.
"""

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import NoReturn

from switchboard.busy import still_busy

READY_FD = "SWITCHBOARD_READY_FD"
GO_FD = "SWITCHBOARD_GO_FD"
LOADED = b"LOADED"
FORKED = b"FORKED"
BUSY = b"BUSY\n"
READY = b"READY\n"
WHY = b"WHY "
_MOST_WORDS = 1000
"""Octets; a pipe takes a line of so many at once."""
GO = b"!"
ASKED = b"?"
_PR_SET_PDEATHSIG = 1


class ParentGone(Exception):
    """The parent died before the worker was ready."""


class StopSignal:
    """Turns SIGTERM into `is_set` and a readable `fd`, so that a poll wakes up; installed once a process.

    SIGINT is ignored: Ctrl-C reaches the whole group of a terminal, and the parent passes SIGTERM on.
    """

    def __init__(self) -> None:
        self.is_set = False
        self.fd, write_fd = os.pipe()
        os.set_blocking(write_fd, False)
        signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _stop(self, _number: int, _frame: object) -> None:
        self.is_set = True


def die_with_parent() -> None:
    """Ask the kernel for SIGKILL when the parent dies (Linux; elsewhere nothing).

    Not SIGTERM: a worker that lingers would hold the sockets that its successor is about to bind.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def await_go() -> bool:
    """Tell the parent, if it asked by SWITCHBOARD_GO_FD, that all is loaded, and wait until it says go.

    While it waits it answers the parent's questions whether it is there. A go may bring the two descriptors of a
    standby process: this process forks, and its child waits with those for a go of its own, without the time and
    memory of another import. False: the parent closed the socket or died. ParentGone if it died before.
    """
    fd = os.environ.pop(GO_FD, "")
    while fd:
        said, fds = _hear_go(int(fd))
        if not (fds and _is_fork()):
            _close(fds)
            die_with_parent()  # a fork has another one now than when it was forked
            still_busy.tell = _tell_busy
            if said:
                _tell_busy()  # and has heard the go
            return said
        _close([int(os.environ[READY_FD])])
        os.environ[READY_FD], fd = map(str, fds)
    return True


def tell_ready() -> None:
    """Tell the parent, if it asked by SWITCHBOARD_READY_FD, that this worker is up; ParentGone if it died."""
    still_busy.tell = None
    try:
        _tell_parent(READY)
    finally:
        if fd := os.environ.pop(READY_FD, ""):
            os.close(int(fd))


def tell_why(text: str) -> None:
    """Tell the parent, while it waits for this worker, why it will not be up; for people, its first line."""
    words = (text.splitlines() or [""])[0].encode()[:_MOST_WORDS]
    with suppress(ParentGone, OSError):
        _tell_parent(WHY + words + b"\n")


def leave(status: int) -> NoReturn:
    """End this process at once: who follows it waits for that.

    Not by sys.exit: that takes the interpreter apart (0.1 s), and waits for threads that ask a name server.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(status)


def _hear_go(fd: int) -> tuple[bool, list[int]]:
    """Whether the parent said go, and the descriptors that came with it."""
    said, fds = ASKED, list[int]()
    with socket.socket(fileno=fd) as go:
        while said == ASKED:
            _tell_parent(b"%s %d\n" % (LOADED, os.getpid()))
            said, fds, _, _ = socket.recv_fds(go, 1, 2)
    return said == GO, fds


def _is_fork() -> bool:
    """Fork; true in the new process. If the system has none to give, there is just none."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # a fork that dies before this process is nobody's zombie
    try:
        pid = os.fork()
    except OSError:
        return False
    if pid:
        _tell_parent(b"%s %d\n" % (FORKED, pid))
    return pid == 0


def _tell_busy() -> None:
    _tell_parent(BUSY)


def _close(fds: Iterable[int]) -> None:
    for fd in fds:
        os.close(fd)


def _tell_parent(word: bytes) -> None:
    if fd := os.environ.get(READY_FD, ""):
        try:
            os.write(int(fd), word)
        except BrokenPipeError as error:
            raise ParentGone from error
