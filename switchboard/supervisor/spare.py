"""The process that waits behind a worker, loaded, so that a killed one is replaced without an import.

As a rule it is the twin of the one in service, there from the start; one is launched where there is none.
"""

from collections.abc import Callable

from switchboard.supervisor.child import Child
from switchboard.supervisor.pauses import Pauses

AFTER_S = 2.0
"""From the worker's readiness to the launch: a start is not slowed, a crash loop launches none."""
LONGEST_PAUSE_S = 60.0


class Spare:
    """At most one waiting child. Owned by a Reserve, which passes `now` (monotonic s)."""

    def __init__(self, launch: Callable[[], Child], wanted: bool) -> None:
        self.child: Child | None = None
        self._launch = launch
        self._wanted = wanted
        self._launch_at: float | None = None
        self._pauses = Pauses(AFTER_S, LONGEST_PAUSE_S)

    def send(self, child: Child) -> None:
        """Let `child` serve; its twin is the next to wait."""
        if self._wanted:
            self.child = child.go_and_fork()
        else:
            child.go()

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

        A twin that was never forked is not replaced before the next `plan`.
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
        return f"spare {how}; the next one in {pause_s:g} s" if again else None
