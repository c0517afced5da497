"""One worker process that loads its code, waits for a go, and serves (`handshake.py` is its side)."""

import ctypes
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from switchboard.supervisor.fork import Serve, fork_worker
from switchboard.supervisor.handshake import ASKED, FORKED, GO, GO_FD, LOADED, READY, READY_FD, WHY

SUPPORTED = sys.platform == "linux"
_PR_SET_CHILD_SUBREAPER = 36


class ForkedProcess:
    """As much of `subprocess.Popen` as a Child needs. Owned by its Child, which learns the `pid`."""

    def __init__(self, pid: int | None = None) -> None:
        adopt_orphans(True)
        self.pid = pid
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


Start = Callable[[Sequence[int], Mapping[str, str]], "subprocess.Popen[bytes] | ForkedProcess"]
LOOKS = 5
"""A starting or waiting process ends after this number of checks in a row without a sign of life."""
LOOKS_UNHEARD = 2
"""After this number of checks if it had loaded, was told to go, and has not said that it heard that."""
LONGEST_SPIN = 12 * LOOKS
"""And after this number without a report, even if it uses CPU."""
_NUMBERED = re.compile(rb"(%s|%s) (\d+)" % (LOADED, FORKED))
_USED_TICKS = slice(11, 13)
"""Where `/proc/PID/stat` has, behind the name, the time of the processors that it has used."""


class Child:
    """A process, the pipe by which it says how far it is, and the socket by which it is asked and told to go.

    Owned by its Worker, Successors or Standby; never blocks. `silent`: how many looks in a row, the last ones, have
    found no sign of life: a word or, of one that need not answer, use of a processor.
    """

    def __init__(
        self, process: "subprocess.Popen[bytes] | ForkedProcess", ready_fd: int, go_socket: socket.socket
    ) -> None:
        self.loaded = False
        self.ready = False
        self.ended = False
        """Whether `reap` has found it so."""
        self.told_to_go = False
        self.silent = 0
        self.why = ""
        """Its last words, if it could not start."""
        self.ready_fd: int | None = ready_fd
        self._rest = b""  # of a line
        self._spoke = True
        self._unheard = False
        self._wordless = 0
        self._used_ticks = 0
        self._fork: ForkedProcess | None = None
        self._process = process
        self._go_socket = go_socket

    @classmethod
    def launch(
        cls, command: Sequence[str], pass_fds: Sequence[int] = (), variables: Mapping[str, str] | None = None
    ) -> Self:
        """Start `command`. `variables` add to the environment. OSError: the system has no process to give."""

        def start(fds: Sequence[int], added: Mapping[str, str]) -> "subprocess.Popen[bytes]":
            return subprocess.Popen(command, pass_fds=fds, env={**os.environ, **added}, process_group=0)

        return cls.begin(start, pass_fds, variables or {})

    @classmethod
    def fork(
        cls, serve: Serve, name: str, pass_fds: Sequence[int] = (), variables: Mapping[str, str] | None = None
    ) -> Self:
        """The same by a fork of this process, which has loaded what serves; `name` is its command line."""

        def start(fds: Sequence[int], added: Mapping[str, str]) -> ForkedProcess:
            return ForkedProcess(fork_worker(serve, fds, added, name))

        return cls.begin(start, pass_fds, variables or {})

    @classmethod
    def begin(cls, start: Start, pass_fds: Sequence[int], variables: Mapping[str, str]) -> Self:
        """The same by `start`, which gets the descriptors that the process needs, and its variables. OSError."""
        ready_fd, write_fd = os.pipe()
        ours, its = socket.socketpair()
        channel = {READY_FD: str(write_fd), GO_FD: str(its.fileno())}
        try:
            process = start((write_fd, its.fileno(), *pass_fds), {**variables, **channel})
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
        said = os.read(self.ready_fd, 4096)
        *lines, self._rest = (self._rest + said).split(b"\n")
        for line in lines:
            self._take(line)
        if not said:
            self._close_ready()

    def _take(self, line: bytes) -> None:
        self._spoke, self.silent = True, 0
        self.ready |= line == READY.strip()
        if line.startswith(WHY):
            self.why = line.removeprefix(WHY).decode(errors="replace")
        numbered = _NUMBERED.fullmatch(line)
        self._unheard &= numbered is not None and numbered[1] == LOADED  # it may answer an earlier question
        if numbered is None:
            return
        if numbered[1] == LOADED:
            self.loaded = True
            self._process.pid = int(numbered[2])  # news if it is a fork
        elif self._fork:
            self._fork.pid = int(numbered[2])

    def look(self) -> None:
        """Note whether there was a sign of life since the last look; ask one that waits for the next."""
        used_ticks = _used_ticks(self.pid)
        works = used_ticks > self._used_ticks and not self._waits
        self.silent = 0 if self._spoke or works else self.silent + 1
        self._wordless = 0 if self._spoke else self._wordless + 1
        self._spoke, self._used_ticks = False, used_ticks
        if self._waits:
            with suppress(OSError):  # a process that cannot be asked does not answer
                self._go_socket.send(ASKED, socket.MSG_DONTWAIT)

    @property
    def hangs(self) -> bool:
        """Whether it starts or waits, and has given no sign of life, or said nothing, for too many looks."""
        most_silent = LOOKS_UNHEARD if self._unheard else LOOKS
        return not self.ready and (self.silent >= most_silent or self._wordless >= LONGEST_SPIN)

    @property
    def _waits(self) -> bool:
        return self.loaded and not self.told_to_go

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
        self._fork = ForkedProcess()
        return Child(self._fork, ready_fd, ours)

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        self.silent = self._wordless = 0  # it may take a while to end
        self._process.kill()

    def dismiss(self) -> None:
        """End one that has not been told to go.

        The number of a fork that is not ours may be another's once it has ended; its pipe is open as long as it lives.
        """
        self._go_socket.close()
        if not isinstance(self._process, ForkedProcess) or self._is_there():
            self._process.kill()

    def _is_there(self) -> bool:
        if self.ready_fd is None:
            return False
        poller = select.poll()
        poller.register(self.ready_fd, 0)  # what is told in any case: that the other end is closed
        return not poller.poll(0)

    def reap(self) -> bool:
        """Whether it has ended; then it is no zombie any more, and both channels are closed."""
        if self._process.poll() is None and not self._is_lost():
            return False
        self._hear_rest()
        self._close_ready()
        self._go_socket.close()
        self.ended = True
        return True

    def describe_end(self) -> str:
        """How it ended, for people. To be asked after `reap`."""
        code = self.returncode
        if code is None:
            return f"(pid {self.pid}) ended"
        how = f"was killed by {_signal_name(-code)}" if code < 0 else f"ended with status {code}"
        return f"(pid {self.pid}) {how}"

    def _send_go(self, *fds: int) -> None:
        self.told_to_go, self._spoke, self._unheard = True, False, self.loaded
        with suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(self._go_socket, [GO], fds)
        self._go_socket.close()

    def _is_lost(self) -> bool:
        """A fork that ended before the process that had forked it."""
        return (
            isinstance(self._process, ForkedProcess) and self.ready_fd is None and not self._process.is_ours
        )

    def _hear_rest(self) -> None:
        """What it said before it ended."""
        while self.ready_fd is not None and _is_readable(self.ready_fd):
            self.hear()

    def _close_ready(self) -> None:
        if self.ready_fd is not None:
            os.close(self.ready_fd)
            self.ready_fd = None


def _is_readable(fd: int) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(0))


def _used_ticks(pid: int | None) -> int:
    """Of all its threads, in ticks of the clock; 0 where that cannot be known."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0
    return sum(map(int, stat.rpartition(b")")[2].split()[_USED_TICKS]))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
