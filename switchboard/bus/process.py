"""What a worker process owes its parent: readiness, a graceful end on SIGTERM, and no life after it."""

import ctypes
import os
import signal
import sys

READY_FD = "SWITCHBOARD_READY_FD"
READY = b"READY\n"
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


def tell_ready() -> None:
    """Tell the parent, if it asked by SWITCHBOARD_READY_FD, that this worker is up; ParentGone if it died."""
    fd = os.environ.pop(READY_FD, "")
    if not fd:
        return
    try:
        os.write(int(fd), READY)
    except BrokenPipeError as error:
        raise ParentGone from error
    finally:
        os.close(int(fd))
