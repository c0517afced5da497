"""The switchboard as a subject."""

from types import TracebackType
from typing import Self

from system.harness import Switchboard
from system.sipmsg import Address

from bench.blow import ComponentBlow, Way, all_workers
from bench.ledger import Ledger
from bench.watch import Watch

EVERYTHING = "all"


class Ours:
    """A switchboard with so many routers; its workers go one by one, or all at once."""

    def __init__(self, routers: int) -> None:
        self.routers = routers
        self.workers = all_workers(routers)
        self.switchboard = Switchboard({"SWITCHBOARD_ROUTERS": str(routers)})
        self.ledger: Ledger | None = Ledger(self.switchboard.data_dir / "cdr.jsonl")
        self._watch = Watch(self.switchboard.data_dir)

    def __enter__(self) -> Self:
        self.switchboard.__enter__()
        self._watch.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.__exit__(kind, error, trace)
        self.switchboard.__exit__(kind, error, trace)

    @property
    def address(self) -> Address:
        """Where phones send to."""
        return self.switchboard.address

    @property
    def targets(self) -> list[str]:
        """Every worker, and all of them at once."""
        return [*self.workers, EVERYTHING]

    def ways_of(self, target: str) -> list[Way]:  # noqa: ARG002
        """Every worker may go in every way."""
        return list(Way)

    def blow(self, target: str, way: Way) -> ComponentBlow:
        """Prepare an event."""
        workers = list(self.workers) if target == EVERYTHING else [target]
        return ComponentBlow(self.switchboard.data_dir, self._watch, way, workers, self.workers)

    def log(self) -> str:
        """What it printed."""
        return self.switchboard.log()
