"""Standby processes: they may follow the process in service, and have loaded their code, so that a killed process is
replaced without an import.

A standby process is usually forked from the process in service, right after that has loaded its code. Where there is
none, one is launched. None of them has been told to serve.
"""

from collections.abc import Callable, Iterator

from switchboard.supervisor.child import Child


class Pauses:
    """Each pause is twice the one before, up to `longest_s` (seconds)."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self.count = 0
        """How many there were since the last `reset`."""

    def next_s(self) -> float:
        """Return the next pause."""
        pause_s = self._first_s
        for _ in range(self.count):
            pause_s = min(self._longest_s, 2 * pause_s)
        self.count += 1
        return pause_s

    def reset(self) -> None:
        """Begin with the first one again."""
        self.count = 0


AFTER_S = 2.0
"""From the worker's readiness to the launch: a start is not slowed, a crash loop launches none."""
LONGEST_PAUSE_S = 60.0


class Standby:
    """At most one waiting child. Owned by Successors, which passes `now` (monotonic s)."""

    def __init__(self, launch: Callable[[], Child], wanted: bool) -> None:
        self.child: Child | None = None
        self._launch = launch
        self._wanted = wanted
        self._launch_at: float | None = None
        self._pauses = Pauses(AFTER_S, LONGEST_PAUSE_S)

    def send(self, child: Child) -> None:
        """Let `child` serve; its fork is the next to wait."""
        if self._wanted:
            self.child = child.go_and_fork()
        else:
            child.go()

    def adopt(self, child: Child) -> None:
        """Have `child` wait, though none may be wanted later."""
        self.child = child

    def plan(self, now: float) -> None:
        """The worker is up: launch a child some time later, unless there is one."""
        self._pauses.reset()
        if self._wanted and self.child is None:
            self._launch_at = now + self._pauses.next_s()

    def take(self) -> Child | None:
        """Hand the child out, loaded or not; none follows until the next `plan`."""
        child, self.child, self._launch_at = self.child, None, None
        return child

    def reap(self, now: float) -> str | None:
        """If the child has ended: plan another one after a growing pause; says so from the second time on.

        A process that was never forked is not replaced before the next `plan`.
        """
        if self.child is None or not self.child.reap():
            return None
        child, self.child = self.child, None
        return None if child.pid is None else self._plan_another(child.describe_end(), now)

    def next_deadline(self) -> float | None:
        """When `handle_timer` wants to be called."""
        return self._launch_at

    def handle_timer(self, now: float) -> str | None:
        """Launch the child if it is time; says if that is repeatedly impossible."""
        if self._launch_at is None or now < self._launch_at:
            return None
        self._launch_at = None
        try:
            self.child = self._launch()
        except OSError as error:
            return self._plan_another(f"cannot be launched: {error.strerror}", now)
        return None

    def _plan_another(self, how: str, now: float) -> str | None:
        again = self._pauses.count > 1
        pause_s = self._pauses.next_s()
        self._launch_at = now + pause_s
        return f"standby process {how}; the next one in {pause_s:g} s" if again else None


class Successors:
    """The standby process waits for a death; the successor is the new code that a restart loads. Owned by a Worker.

    The standby process stays until the successor is taken, which may prove to be broken. `now` is monotonic s.
    """

    def __init__(self, launch: Callable[[], Child], standbys: bool) -> None:
        self._launch = launch
        self._standby = Standby(launch, standbys)
        self._successor: Child | None = None
        self._dismissed: list[Child] = []

    @property
    def successor_loaded(self) -> bool:
        """Whether the process in service may end for its successor."""
        return self._successor is not None and self._successor.loaded

    def children(self) -> Iterator[Child]:
        """All of them, those that were dismissed and have not ended yet included."""
        yield from (child for child in (self._successor, self._standby.child) if child)
        yield from self._dismissed

    def launch_successor(self, launch: Callable[[], Child] | None = None) -> Child:
        """Return the successor, launched unless it is there. OSError: it cannot be."""
        if self._successor is None:
            self._successor = (launch or self._launch)()
        return self._successor

    def adopt(self, child: Child) -> None:
        """Have `child` wait: it serves first."""
        self._standby.adopt(child)

    def plan_standby(self, now: float) -> None:
        """A process in service is up: have a standby process some time later."""
        self._standby.plan(now)

    def send(self) -> Child:
        """Let the successor serve, else the standby process, else a new process; return it. OSError: there is none."""
        child = self._take()
        self._standby.send(child)
        return child

    def dismiss(self) -> None:
        """End them all."""
        self._dismiss(self._standby.take())
        self._dismiss(self._successor)
        self._successor = None

    def next_deadline(self) -> float | None:
        """When `tend` is due."""
        return self._standby.next_deadline()

    def tend(self, now: float) -> list[str]:
        """Note processes that ended, launch the standby process when it is time. Returns lines for the log."""
        self._dismissed = [child for child in self._dismissed if not child.reap()]
        events = (self._reap_successor(), self._standby.reap(now), self._standby.handle_timer(now))
        return [event for event in events if event]

    def look(self) -> list[str]:
        """Look for signs of life, and end processes that hang; returns lines for the log. To be called periodically."""
        events = []
        for child in self.children():
            child.look()
            if child.hangs and child.pid is not None:
                child.kill()
                kind = "successor" if child is self._successor else "standby process"
                events.append(f"{kind} (pid {child.pid}) hangs and is killed")
        return events

    def _take(self) -> Child:
        successor, self._successor = self._successor, None
        standby = self._standby.take()
        if successor is None and standby and standby.pid is not None and not standby.silent:
            return standby
        self._dismiss(standby)
        return successor or self._launch()

    def _reap_successor(self) -> str | None:
        if self._successor is None or not self._successor.reap():
            return None
        how, self._successor = self._successor.describe_end(), None
        return f"successor {how}"

    def _dismiss(self, child: Child | None) -> None:
        if child is not None:
            child.dismiss()
            self._dismissed.append(child)
