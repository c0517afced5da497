"""The switchboard on two hosts as a subject: its workers go, and so does the link between the hosts."""

import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from system.hosts import ALPHA, BETA, COMPONENTS, PHONES, Hosts
from system.lan import Lan
from system.sipmsg import Address

from bench.blow import EVERYTHING, SPREAD_S, ComponentBlow, Way, all_workers
from bench.ledger import Ledger
from bench.phones import Lab
from bench.subject import Blow, WithoutRules
from bench.watch import Watch, servers_of

LINK = "the link"
CUT_S = 5.0


class TwoHosts(WithoutRules):
    """In network namespaces that it makes; inside the `with` block this thread is on the phones' host."""

    def __init__(self, routers: int) -> None:
        self.routers = routers
        self.workers = all_workers(routers)
        self._stack = ExitStack()
        self._lan = Lan([ALPHA, BETA, PHONES], servers=[ALPHA, BETA])

    def __enter__(self) -> Self:
        with self._stack:
            enter = self._stack.enter_context
            enter(self._lan)
            self.hosts = enter(Hosts(self._lan, self.routers))
            dirs = {name: board.data_dir for name, board in self.hosts.boards.items()}
            self.ledger: Ledger | None = Ledger(dirs[BETA] / "cdr.jsonl")
            servers = {each: servers_of(dirs[name])[each] for name, has in COMPONENTS.items() for each in has}
            enter(self._lan.entered(PHONES))
            self._watch = enter(Watch(servers))
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def address(self) -> Address:
        """Where phones send to."""
        return self.hosts.address

    @property
    def targets(self) -> list[str]:
        """Every worker, all of them at once, and the link."""
        return [*self.workers, EVERYTHING, LINK]

    def ways_of(self, target: str) -> list[Way]:
        """Workers go in every way, the link is cut."""
        fits = {Way.ROLL: target == EVERYTHING, Way.CUT: False}
        return [Way.CUT] if target == LINK else [way for way in Way if fits.get(way, True)]

    def spread_s(self, target: str, way: Way) -> float:  # noqa: ARG002
        """For how long the event has its effect."""
        return SPREAD_S[way]

    def blow(self, target: str, way: Way) -> Blow:
        """Prepare an event."""
        if target == LINK:
            return LinkBlow(self._lan)
        workers = list(self.workers) if target == EVERYTHING else [target]
        return ComponentBlow(self._watch, way, workers, self.workers)

    def log(self) -> str:
        """What was printed."""
        return self.hosts.log()


class LinkBlow:
    """Nothing passes between the hosts for CUT_S."""

    def __init__(self, lan: Lan) -> None:
        self.errors: list[str] = []
        self._lan = lan
        self._until = float("inf")

    def strike(self, lab: Lab) -> None:
        """Cut it now."""
        self._until = time.monotonic() + CUT_S
        self._lan.cut(BETA)
        lab.later(CUT_S, lambda: self._lan.mend(BETA))

    @property
    def over(self) -> bool:
        """Whether it is whole again."""
        return time.monotonic() >= self._until

    def away_s(self) -> list[float]:
        """No worker was away."""
        return []
