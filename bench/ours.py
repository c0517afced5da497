"""The switchboard as a subject."""

from types import TracebackType
from typing import Self

from system.access import Access, Transport, free_ports
from system.harness import INIT_SYSTEM, Switchboard
from system.sipmsg import Address

from bench.blow import EVERYTHING, SPREAD_S, ComponentBlow, Way, all_workers
from bench.ledger import Ledger
from bench.watch import Watch, servers_of

PARENT = "parent of "
PARENT_SPREAD_S = 1.5


class Ours:
    """A switchboard with so many routers; workers go one by one, or all at once, or a parent with its own.

    It runs under a small init system, since honcho ends everything when one parent ends. It has all transports.
    `has_rules`: whether calls that obey rules are among its calls. `engine`: the media engine that relays all of them.
    """

    def __init__(self, routers: int, has_rules: bool = True, engine: str = "") -> None:
        self.routers = routers
        self.has_rules = has_rules
        self.workers = all_workers(routers)
        self._ports = free_ports()
        settings = {"SWITCHBOARD_ROUTERS": str(routers), **self._ports.environment}
        if engine:
            settings |= {"SWITCHBOARD_MEDIA": engine, "SWITCHBOARD_RELAY_MEDIA": "always"}
        self.switchboard = Switchboard(settings, runner=INIT_SYSTEM)
        self.ledger: Ledger | None = Ledger(self.switchboard.data_dir / "cdr.jsonl")
        self._watch = Watch(servers_of(self.switchboard.data_dir))

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

    def access(self, transport: Transport) -> Access:
        """How phones of this transport reach it."""
        return self._ports.access(transport, self.switchboard.port, self.switchboard.data_dir)

    @property
    def targets(self) -> list[str]:
        """Every worker, all of them at once, and every parent."""
        return [*self.workers, EVERYTHING, *self.parents]

    @property
    def parents(self) -> list[str]:
        """Every parent."""
        return [PARENT + component for component in dict.fromkeys(self.workers.values())]

    def ways_of(self, target: str) -> list[Way]:
        """Every worker may go in every way, but only all may roll; nobody restarts a parent gracefully."""
        fits = {Way.RESTART: not target.startswith(PARENT), Way.ROLL: target == EVERYTHING, Way.CUT: False}
        return [way for way in Way if fits.get(way, True)]

    def workers_of(self, target: str) -> list[str]:
        """The workers that go with a target."""
        return [
            worker
            for worker, component in self.workers.items()
            if target in (worker, EVERYTHING, PARENT + component)
        ]

    def spread_s(self, target: str, way: Way) -> float:
        """For how long the event has its effect; a parent comes back with an import before its workers'."""
        return PARENT_SPREAD_S if target.startswith(PARENT) else SPREAD_S[way]

    def blow(self, target: str, way: Way) -> ComponentBlow:
        """Prepare an event."""
        return ComponentBlow(
            self._watch,
            way,
            self.workers_of(target),
            self.workers,
            at_parent=target.startswith(PARENT),
        )

    def command(self, *arguments: str) -> None:
        """Run `switchboard ARGUMENTS`."""
        self.switchboard.cli(*arguments)

    def log(self) -> str:
        """What it printed."""
        return self.switchboard.log()
