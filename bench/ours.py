"""The switchboard as a subject."""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from system.access import Access, Transport, free_ports
from system.harness import INIT_SYSTEM, Switchboard
from system.provider import Provider
from system.sipmsg import Address

from bench.blow import EVERYTHING, SPREAD_S, ComponentBlow, Way, all_workers
from bench.ledger import Ledger
from bench.outside import trunk_settings
from bench.watch import Watch, servers_of
from switchboard.settings.hosts import LATE

PARENT = "parent of "
PARENT_SPREAD_S = 1.5


class Ours:
    """A switchboard with so many routers; workers go one by one, or all at once, or a parent with its own.

    It runs under a small init system, since honcho ends everything when one parent ends. It has all transports.
    `has_rules`: whether calls that obey rules are among its calls. `has_trunk`: whether it has a trunk, and `presence`
    and `trunks` are among the workers that go. `engine`: the media engine that relays all calls.
    """

    def __init__(
        self, routers: int, has_rules: bool = True, has_trunk: bool = False, engine: str = ""
    ) -> None:
        self.routers = routers
        self.has_rules = has_rules
        self.workers = all_workers(routers, LATE if has_trunk else ())
        self._stack = ExitStack()
        self._ports = free_ports()
        settings = {"SWITCHBOARD_ROUTERS": str(routers), **self._ports.environment}
        if engine:
            settings |= {"SWITCHBOARD_MEDIA": engine, "SWITCHBOARD_RELAY_MEDIA": "always"}
        self._provider: Provider | None = None
        if has_trunk:
            directory = Path(self._stack.enter_context(TemporaryDirectory(prefix="killmatrix-provider-")))
            self._provider = Provider(directory, None, patience_s=32.0)
            settings |= {"SWITCHBOARD_PRESENCE": "on", **trunk_settings(self._provider, directory)}
        self.provider = (self._provider.host, self._provider.port) if self._provider else None
        self.switchboard = Switchboard(settings, runner=INIT_SYSTEM)
        self.ledger: Ledger | None = Ledger(self.switchboard.data_dir / "cdr.jsonl")

    def __enter__(self) -> Self:
        with self._stack:
            if self._provider:
                self._stack.enter_context(self._provider)
            self._stack.enter_context(self.switchboard)
            self._watch = self._stack.enter_context(Watch(servers_of(self.switchboard.data_dir)))
            if self._provider:
                self.switchboard.cli("trunk", "test", "provider")
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

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
