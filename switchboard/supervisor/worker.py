"""One worker as its parent sees it: a process in service, which its successors follow."""

import signal
import socket
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from functools import partial

from switchboard.supervisor.child import Child
from switchboard.supervisor.fork import Serve
from switchboard.supervisor.nursery import Nursery
from switchboard.supervisor.standby import Pauses, Successors

STEADY_S = 1.0
"""A worker that was up for this time is restarted at once; another one after a growing pause."""
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
    """Keeps one process in service. Owned by its parent, which passes `now` (monotonic s).

    Who follows it has loaded its code before it ends, so that nothing but the bind is left to do.
    """

    def __init__(
        self,
        name: str,
        instance: int,
        command: Sequence[str],
        pass_fds: Sequence[int] = (),
        variables: Mapping[str, str] | None = None,
        grace_s: float = GRACE_S,
        standbys: bool = True,
        host: str = "",
        address: str = "",
        leaves: bool = False,
    ) -> None:
        self.name = name
        self.instance = instance
        self.starts = 0
        self.state = State.DOWN
        self._host = host or socket.gethostname()
        self._address = address
        self._command = list(command)
        self._inherited = tuple(pass_fds), dict(variables or {})
        launch = partial(Child.launch, self._command, *self._inherited)
        self._grace_s = grace_s
        self._child: Child | None = None
        self._successors = Successors(launch, standbys)
        self._pauses = Pauses(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        self._up_since: float | None = None
        self._start_at: float | None = None
        self._kill_at: float | None = None
        self._retired = False
        self._told: tuple[int | None] | None = None
        self._why = ""
        self._leaves = leaves
        self.has_left = False
        """Whether it has ended for good, by itself."""

    def __str__(self) -> str:
        return f"{self.name}.{self.instance}"

    @property
    def pid(self) -> int | None:
        """The id of the process in service, None while there is none."""
        return self._child.pid if self._child else None

    @property
    def gone(self) -> bool:
        """Whether it has no process at all."""
        return not self._children()

    def status(self, now: float) -> dict[str, object]:
        """The map that docs/BUS.md describes."""
        up_s = now - self._up_since if self._up_since is not None else 0.0
        return {
            "name": self.name,
            "instance": self.instance,
            "pid": self.pid,
            "host": self._host,
            "state": self.state.value,
            "uptime_s": round(up_s, 3),
            "restarts": max(0, self.starts - 1),
        } | {key: text for key, text in (("address", self._address), ("why", self._why)) if text}

    def fork(self, serve: Serve) -> None:
        """Fork the process that is to serve first. To be called before this one has a thread or a ZeroMQ context.

        Later ones load their code. If the system has no process to give, the first one does so, too.
        """
        with suppress(OSError):
            self._successors.adopt(Child.fork(serve, " ".join(self._command[2:]), *self._inherited))

    def start(self, now: float) -> None:
        """Have a process in service from the next `tend` on."""
        self._start_at = now

    def stop(self, now: float) -> None:
        """End all processes for good."""
        self._retired = True
        self._start_at = None
        self._terminate(now)
        self._successors.dismiss()

    def kill(self) -> None:
        """End the process in service at once; another one follows it."""
        if self._child is not None:
            self._child.kill()

    def look(self) -> list[str]:
        """Look for signs of life of starting and waiting processes, and end those that hang. Returns lines for the log.

        LOOKS in a row without one are too many. The Watchdog asks workers that are up.
        """
        events = self._successors.look()
        if self._child is not None and self.state is State.STARTING:
            self._child.look()
            if self._child.hangs:
                events.append(f"(pid {self.pid}) hangs while it starts and is killed")
                self._child.kill()
        return [f"{self} {event}" for event in events]

    @property
    def pass_fds(self) -> Sequence[int]:
        """The descriptors that its processes inherit."""
        return self._inherited[0]

    def restart(self, now: float, nursery: Nursery | None = None) -> Child:
        """Launch the successor, and return it; what is in service ends once that has loaded.

        If there is a nursery, that forks it. If it ends before, nothing changes. OSError: it cannot be launched.
        """
        forks = nursery and self._command[1:2] == ["-m"]
        launch = partial(nursery.fork, self._command, *self._inherited, now) if nursery and forks else None
        successor = self._successors.launch_successor(launch)
        if self._child is None:
            self._start_at = now
        return successor

    def ready_fds(self) -> list[int]:
        """What makes `tend` necessary when it is readable; so do signals and `next_deadline`."""
        return [child.ready_fd for child in self._children() if child.ready_fd is not None]

    def next_deadline(self) -> float | None:
        """When the next `tend` is due."""
        own = self._start_at if self._child is None else self._kill_at
        return min((at for at in (own, self._successors.next_deadline()) if at is not None), default=None)

    def tend(self, readable: Container[object], now: float) -> list[str]:
        """Read the reports of the processes, note those that ended, do what is due. Returns lines for the log."""
        for child in self._children():
            if child.ready_fd in readable:
                child.hear()
        self._note_progress(now)
        events = [*self._successors.tend(now), self._reap(now), self._handle_timer(now)]
        return [f"{self} {event}" for event in events if event]

    def _children(self) -> list[Child]:
        in_service = [self._child] if self._child else []
        return [*in_service, *self._successors.children()]

    def _note_progress(self, now: float) -> None:
        if self._successors.successor_loaded:
            self._terminate(now)
        if self.state is State.STARTING and self._child and self._child.ready:
            self.state = State.UP
            self._up_since, self._why = now, ""
            self._successors.plan_standby(now)

    def _reap(self, now: float) -> str | None:
        """If the process in service has ended: plan the next start; say how, unless that is as asked for."""
        child = self._child
        if child is None or not child.reap():
            return None
        asked_for = self._kill_at is not None
        self._plan_next_start(now, asked_for)
        self._child = self._up_since = self._kill_at = None
        self.state = State.DOWN
        self._why = "" if asked_for else child.why or child.describe_end()
        if asked_for and child.returncode in (0, -signal.SIGTERM):
            return None
        if self._leaves and child.returncode == 0:
            self._leave()
            return "has finished what it had, and left"
        return self._describe(child, now)

    def _describe(self, child: Child, now: float) -> str | None:
        """One that ends in the same way each time, though the pauses are as long as they get, is told of once."""
        is_told, self._told = self._told, None
        if self._start_at is None or self._start_at < now + LONGEST_PAUSE_S:
            return child.describe_end() + self._describe_start(now)
        self._told = (child.returncode,)
        if self._told == is_told:
            return None
        return f"{child.describe_end()}; restarting every {LONGEST_PAUSE_S:g} s until it stays up"

    def _leave(self) -> None:
        self._retired = self.has_left = True
        self._start_at = None
        self._successors.dismiss()

    def _plan_next_start(self, now: float, asked_for: bool) -> None:
        if self._retired:
            return
        steady = self._up_since is not None and now - self._up_since >= STEADY_S
        if asked_for or steady:
            self._pauses.reset()
            self._start_at = now
        else:
            self._start_at = now + self._pauses.next_s()

    def _describe_start(self, now: float) -> str:
        if self._start_at is None:
            return ""
        pause_s = self._start_at - now
        return f"; restarting in {pause_s:.1f} s" if pause_s > 0 else "; restarting"

    def _handle_timer(self, now: float) -> str | None:
        """Start after a pause, or kill who did not end on SIGTERM."""
        if self._child is None and self._start_at is not None and now >= self._start_at:
            return self._try_to_start(now)
        if self._child is not None and self._kill_at is not None and now >= self._kill_at:
            self._child.kill()
            self._kill_at = now + self._grace_s
        return None

    def _try_to_start(self, now: float) -> str | None:
        try:
            self._start()
        except OSError as error:
            self._plan_next_start(now, asked_for=False)
            self._why = f"it cannot be launched: {error.strerror}"
            return f"cannot be launched: {error.strerror}{self._describe_start(now)}"
        return None

    def _start(self) -> None:
        self._child = self._successors.send()
        self.starts += 1
        self.state = State.STARTING
        self._start_at = None

    def _terminate(self, now: float) -> None:
        if self._child is not None and self._kill_at is None:
            self._child.terminate()
            self._kill_at = now + self._grace_s
            self.state = State.DOWN
