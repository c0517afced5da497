"""One worker process as its parent sees it: started, ready, ended, restarted."""

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from enum import Enum

from switchboard.bus.process import READY_FD

STEADY_S = 1.0
"""Who was up that long is restarted at once; who was not, after a growing pause."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
GRACE_S = 4.0
"""From SIGTERM to SIGKILL."""


class State(Enum):
    """What `status` says of a worker."""

    STARTING = "starting"
    UP = "up"
    DOWN = "down"


class Worker:
    """Keeps one worker process running. Owned by its parent, which passes `now` (monotonic s)."""

    def __init__(
        self,
        name: str,
        instance: int,
        command: Sequence[str],
        pass_fds: Sequence[int] = (),
        variables: Mapping[str, str] | None = None,
        grace_s: float = GRACE_S,
    ) -> None:
        self.name = name
        self.instance = instance
        self.starts = 0
        self.state = State.DOWN
        self.ready_fd: int | None = None
        self._command = list(command)
        self._pass_fds = tuple(pass_fds)
        self._variables = dict(variables or {})
        self._grace_s = grace_s
        self._process: subprocess.Popen[bytes] | None = None
        self._up_since: float | None = None
        self._quick_ends = 0
        self._start_at: float | None = None
        self._kill_at: float | None = None
        self._retired = False

    def __str__(self) -> str:
        return f"{self.name}.{self.instance}"

    @property
    def pid(self) -> int | None:
        """The process's own id, None while there is none."""
        return self._process.pid if self._process else None

    def status(self, now: float) -> dict[str, object]:
        """The map that docs/BUS.md describes."""
        up_s = now - self._up_since if self._up_since is not None else 0.0
        return {
            "name": self.name,
            "instance": self.instance,
            "pid": self.pid,
            "host": socket.gethostname(),
            "state": self.state.value,
            "uptime_s": round(up_s, 3),
            "restarts": max(0, self.starts - 1),
        }

    def start(self) -> None:
        """Start the process; it says that it is ready by writing to the pipe that it inherits."""
        self.ready_fd, write_fd = os.pipe()
        environment = {**os.environ, **self._variables, READY_FD: str(write_fd)}
        try:
            self._process = subprocess.Popen(
                self._command, pass_fds=(write_fd, *self._pass_fds), env=environment, process_group=0
            )
        finally:
            os.close(write_fd)
        self.starts += 1
        self.state = State.STARTING
        self._start_at = None

    def handle_ready(self, now: float) -> None:
        """The ready pipe is readable: a byte means ready, its end that the process ended before."""
        assert self.ready_fd is not None
        if os.read(self.ready_fd, 64) and self._kill_at is None:
            self.state = State.UP
            self._up_since = now
        self._close_ready()

    def stop(self, now: float) -> None:
        """End the process for good."""
        self._retired = True
        self._start_at = None
        self._terminate(now)

    def restart(self, now: float) -> None:
        """End the process with SIGTERM; the next one starts as soon as it has ended."""
        if self._process is None:
            self._start_at = now
        self._terminate(now)

    def reap(self, now: float) -> str | None:
        """If the process has ended: plan the next start, and say how it ended unless that is as asked for."""
        if self._process is None or self._process.poll() is None:
            return None
        how = None if self._ended_as_asked(self._process) else self._describe_end(self._process)
        self._plan_next_start(now)
        self._process = self._up_since = self._kill_at = None
        self.state = State.DOWN
        self._close_ready()
        return how

    def next_deadline(self) -> float | None:
        """When `handle_timer` wants to be called."""
        return self._start_at if self._process is None else self._kill_at

    def handle_timer(self, now: float) -> None:
        """Start after a pause, or kill who did not end on SIGTERM."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return
        if self._process is None:
            self.start()
        else:
            self._process.kill()
            self._kill_at = now + self._grace_s

    def _terminate(self, now: float) -> None:
        if self._process is not None and self._kill_at is None:
            self._process.terminate()
            self._kill_at = now + self._grace_s
            self.state = State.DOWN

    def _plan_next_start(self, now: float) -> None:
        if self._retired:
            return
        asked_for = self._kill_at is not None
        steady = self._up_since is not None and now - self._up_since >= STEADY_S
        if asked_for or steady:
            self._quick_ends = 0
            self._start_at = now
        else:
            self._start_at = now + min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**self._quick_ends)
            self._quick_ends = min(self._quick_ends + 1, 16)

    def _ended_as_asked(self, process: subprocess.Popen[bytes]) -> bool:
        return self._kill_at is not None and process.returncode in (0, -signal.SIGTERM)

    def _describe_end(self, process: subprocess.Popen[bytes]) -> str:
        code = process.returncode
        how = f"was killed by {_signal_name(-code)}" if code < 0 else f"ended with status {code}"
        return f"{self} (pid {process.pid}) {how}"

    def _close_ready(self) -> None:
        if self.ready_fd is not None:
            os.close(self.ready_fd)
            self.ready_fd = None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
