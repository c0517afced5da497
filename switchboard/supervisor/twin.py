"""A process that a child of ours forked: the kernel makes us its parent when that child ends (Linux)."""

import ctypes
import os
import signal
import sys
from contextlib import suppress

SUPPORTED = sys.platform == "linux"
_PR_SET_CHILD_SUBREAPER = 36


class Twin:
    """As much of `subprocess.Popen` as a Child needs. Owned by its Child, which learns the `pid`."""

    def __init__(self) -> None:
        adopt_orphans(True)
        self.pid: int | None = None
        self.returncode: int | None = None
        self.is_ours = False
        """Whether the kernel has made us its parent, as of the last `poll`."""

    def poll(self) -> int | None:
        """The exit status, or minus the signal that killed it; None: it runs, or is not ours to ask."""
        if self.pid is not None and self.returncode is None:
            try:
                ended, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                self.is_ours = False
            else:
                self.is_ours = True
                self.returncode = os.waitstatus_to_exitcode(status) if ended else None
        return self.returncode

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.pid is not None and self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def adopt_orphans(adopt: bool) -> None:
    """Whether the orphans among our descendants become our children (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(adopt))
