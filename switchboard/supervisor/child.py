"""One worker process that loads its code, waits for a go, and serves (`handshake.py` is its side)."""

import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Self

from switchboard.supervisor.handshake import GO_FD, LOADED, READY, READY_FD

SUPPORTED = sys.platform == "linux"
_PR_SET_CHILD_SUBREAPER = 36


class ForkedProcess:
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


_LOADED = re.compile(LOADED + rb" (\d+)\n")


class Child:
    """A process, the pipe by which it says how far it is, and the socket by which it is told to go.

    Owned by its Worker, Successors or Standby; never blocks.
    """

    def __init__(
        self, process: "subprocess.Popen[bytes] | ForkedProcess", ready_fd: int, go_socket: socket.socket
    ) -> None:
        self.loaded = False
        self.ready = False
        self.told_to_go = False
        self.ready_fd: int | None = ready_fd
        self._process = process
        self._go_socket = go_socket

    @classmethod
    def launch(
        cls, command: Sequence[str], pass_fds: Sequence[int] = (), variables: Mapping[str, str] | None = None
    ) -> Self:
        """Start `command`. `variables` add to the environment. OSError: the system has no process to give."""
        ready_fd, write_fd = os.pipe()
        ours, its = socket.socketpair()
        channel = {READY_FD: str(write_fd), GO_FD: str(its.fileno())}
        try:
            process = subprocess.Popen(
                command,
                pass_fds=(write_fd, its.fileno(), *pass_fds),
                env={**os.environ, **(variables or {}), **channel},
                process_group=0,
            )
        except OSError:
            os.close(ready_fd)
            ours.close()
            raise
        finally:
            os.close(write_fd)
            its.close()
        return cls(process, ready_fd, ours)

    @property
    def pid(self) -> int | None:
        """The process's id; None for a fork that has not spoken yet, or never will."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, or minus the signal that killed it; None until `reap` has found it ended."""
        return self._process.returncode

    def hear(self) -> None:
        """`ready_fd` is readable: take what the process says."""
        assert self.ready_fd is not None
        said = os.read(self.ready_fd, 64)
        if loaded := _LOADED.search(said):
            self.loaded = True
            self._process.pid = int(loaded[1])  # news if it is a fork
        self.ready |= READY in said
        if not said:
            self._close_ready()

    def go(self) -> None:
        """Let it serve: at once if it has loaded, else as soon as it has."""
        self._send_go()

    def go_and_fork(self) -> "Child | None":
        """The same; returns the process that it forks before, loaded as it is. None where that is impossible."""
        if not SUPPORTED:
            self._send_go()
            return None
        ready_fd, write_fd = os.pipe()
        ours, its = socket.socketpair()
        self._send_go(write_fd, its.fileno())
        os.close(write_fd)
        its.close()
        return Child(ForkedProcess(), ready_fd, ours)

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def dismiss(self) -> None:
        """End one that has not been told to go. A fork may not be ours to kill: it sees that it is alone."""
        self._go_socket.close()
        if not isinstance(self._process, ForkedProcess):
            self._process.kill()

    def reap(self) -> bool:
        """Whether it has ended; then it is no zombie any more, and both channels are closed."""
        if self._process.poll() is None and not self._is_lost():
            return False
        self._close_ready()
        self._go_socket.close()
        return True

    def describe_end(self) -> str:
        """How it ended, for people. To be asked after `reap`."""
        code = self.returncode
        if code is None:
            return f"(pid {self.pid}) ended"
        how = f"was killed by {_signal_name(-code)}" if code < 0 else f"ended with status {code}"
        return f"(pid {self.pid}) {how}"

    def _send_go(self, *fds: int) -> None:
        self.told_to_go = True
        with suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(self._go_socket, [b"!"], fds)
        self._go_socket.close()

    def _is_lost(self) -> bool:
        """A fork that ended before the process that had forked it."""
        return (
            isinstance(self._process, ForkedProcess) and self.ready_fd is None and not self._process.is_ours
        )

    def _close_ready(self) -> None:
        if self.ready_fd is not None:
            os.close(self.ready_fd)
            self.ready_fd = None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
