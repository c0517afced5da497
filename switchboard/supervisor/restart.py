"""A graceful restart that somebody asked for, until all of its new processes serve or one has failed."""

from collections.abc import Sequence
from dataclasses import dataclass

from switchboard.bus.door import Question
from switchboard.supervisor.child import Child
from switchboard.supervisor.worker import State, Worker

DEADLINE_S = 15.0


@dataclass(frozen=True, slots=True)
class Restart:
    """The question, and for each worker that it means the process that is to follow."""

    question: Question
    followers: Sequence[tuple[Worker, Child]]
    deadline: float

    def settled(self, now: float) -> bool:
        """Whether each new process serves or has ended, or the deadline (monotonic s) has passed."""
        return now >= self.deadline or all(
            child.ready or child.returncode is not None for _, child in self.followers
        )

    def give_up(self) -> None:
        """End the new processes that hang while they load: their workers go on as they are."""
        for _, child in self.followers:
            if not child.loaded and not child.told_to_go:
                child.dismiss()

    def restarted(self) -> list[str]:
        """The workers."""
        return [str(worker) for worker, _ in self.followers]

    def failures(self) -> str:
        """Which workers have not been restarted, and why, for people; "" for a success."""
        failed = [(worker, child) for worker, child in self.followers if not child.ready]
        return "; ".join(_explain(worker, child) for worker, child in failed)


def _explain(worker: Worker, child: Child) -> str:
    if child.returncode is None:
        return f"{worker}: the new process (pid {child.pid}) is not ready after {DEADLINE_S:g} s"
    text = f"{worker}: the new process {child.describe_end()} before it was ready"
    return f"{text}, the old one goes on" if worker.state is State.UP and not child.told_to_go else text
