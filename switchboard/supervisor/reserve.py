"""The processes that may follow the one in service; none of these has been told to go."""

from collections.abc import Callable, Iterator

from switchboard.supervisor.child import Child
from switchboard.supervisor.spare import Spare


class Reserve:
    """The spare waits for a death; the successor is the new code that a restart loads. Owned by a Worker.

    The spare stays until the successor is taken, which may prove to be broken. `now` is monotonic s.
    """

    def __init__(self, launch: Callable[[], Child], spares: bool) -> None:
        self._launch = launch
        self._spare = Spare(launch, spares)
        self._successor: Child | None = None
        self._dismissed: list[Child] = []

    @property
    def successor_loaded(self) -> bool:
        """Whether the process in service may end for its successor."""
        return self._successor is not None and self._successor.loaded

    def children(self) -> Iterator[Child]:
        """All of them, those that were dismissed and have not ended yet included."""
        yield from (child for child in (self._successor, self._spare.child) if child)
        yield from self._dismissed

    def launch_successor(self) -> Child:
        """Return the successor, launched unless it is there. OSError: it cannot be."""
        if self._successor is None:
            self._successor = self._launch()
        return self._successor

    def plan_spare(self, now: float) -> None:
        """A process in service is up: have a spare some time later."""
        self._spare.plan(now)

    def send(self) -> Child:
        """Let the successor serve, else the spare, else a new process; return it. OSError: there is none."""
        child = self._take()
        self._spare.send(child)
        return child

    def dismiss(self) -> None:
        """End them all."""
        self._dismiss(self._spare.take())
        self._dismiss(self._successor)
        self._successor = None

    def next_deadline(self) -> float | None:
        """When `tend` is due."""
        return self._spare.next_deadline()

    def tend(self, now: float) -> list[str]:
        """Note who has ended, launch the spare when it is time. Returns what the log is to know."""
        self._dismissed = [child for child in self._dismissed if not child.reap()]
        events = (self._reap_successor(), self._spare.reap(now), self._spare.handle_timer(now))
        return [event for event in events if event]

    def _take(self) -> Child:
        successor, self._successor = self._successor, None
        spare = self._spare.take()
        if successor is None and spare and spare.pid is not None:
            return spare
        self._dismiss(spare)
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
