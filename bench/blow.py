"""The ways in which workers of a switchboard go: one event, and how long they were away."""

import os
import signal
import threading
import time
from collections.abc import Collection, Sequence
from enum import StrEnum

import psutil

from bench.phones import Lab
from bench.watch import Watch
from switchboard.bus.rpc import RpcError, call_rpc
from switchboard.cli.restart import ORDER
from switchboard.settings.hosts import OPTIONAL, Component, workers_of
from switchboard.supervisor.supervisor import DEADLINE_S

EVERYTHING = "all"
STOPPED_S = 3.0
KNOWN_WITHIN_S = 10.0


class Way(StrEnum):
    """How a worker goes."""

    KILL = "SIGKILL"
    TERM = "SIGTERM"
    RESTART = "restart"
    ROLL = "restart --all"
    STOP = "SIGSTOP"
    CUT = "cut"
    """Of a link, for five seconds."""


SPREAD_S = {
    Way.KILL: 0.15,
    Way.TERM: 0.2,
    Way.RESTART: 1.6,
    Way.ROLL: 6.0,
    Way.STOP: 1.5,
    Way.CUT: 6.0,
}
"""For how long the event has its effect."""


def all_workers(routers: int, more: Collection[Component] = ()) -> dict[str, str]:
    """Every worker that calls need (`NAME.INSTANCE`) and its component, and those of the components `more`."""
    names = [name for name in Component if name not in OPTIONAL or name in more]
    return {str(worker): str(name) for name in names for worker in workers_of(name, routers)}


class ComponentBlow:
    """One event: `way` happens to all of `workers`, a part of `components`, or to their parents."""

    def __init__(
        self,
        watch: Watch,
        way: Way,
        workers: Sequence[str],
        components: dict[str, str],
        at_parent: bool = False,
    ) -> None:
        self.errors: list[str] = []
        self._watch = watch
        self._way = way
        self._workers = workers
        self._components = components
        watch.look_at(components[worker] for worker in workers)
        self._old = {worker: _pid(watch, worker) for worker in workers}
        pids = self._old.values()
        self._victims = {psutil.Process(pid).ppid() for pid in pids} if at_parent else set(pids)
        self._at = 0.0
        self._thread = threading.Thread(target=self._restart, daemon=True)

    def strike(self, lab: Lab) -> None:
        """Let it happen now."""
        self._at = time.monotonic()
        match self._way:
            case Way.KILL:
                self._signal(signal.SIGKILL)
            case Way.TERM:
                self._signal(signal.SIGTERM)
            case Way.RESTART | Way.ROLL:
                self._thread.start()
            case Way.STOP:
                self._signal(signal.SIGSTOP)
                lab.later(STOPPED_S, lambda: self._signal(signal.SIGCONT))

    @property
    def over(self) -> bool:
        """Whether all workers are back in service; then nobody watches any more."""
        if self._is_over():
            self._watch.look_at(())
            return True
        return False

    def _is_over(self) -> bool:
        if self._way is Way.STOP:
            return time.monotonic() >= self._at + STOPPED_S
        return None not in self._times() and not self._thread.is_alive()

    def away_s(self) -> list[float]:
        """How long each of them was away; none of those that were only stopped."""
        return [] if self._way is Way.STOP else [each for each in self._times() if each is not None]

    def _times(self) -> list[float | None]:
        if self._way in (Way.RESTART, Way.ROLL):
            return [self._watch.gap_s(worker, old) for worker, old in self._old.items()]
        return [self._watch.recovered_s(worker, old, self._at) for worker, old in self._old.items()]

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._victims:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                self.errors.append(f"pid {pid} was gone already ({', '.join(self._workers)})")

    def _restart(self) -> None:
        """One worker after the other when all roll, or when it is one; else whole components."""
        if self._way is Way.ROLL or len(self._workers) == 1:
            for worker in sorted(self._workers, key=lambda each: ORDER.index(each.partition(".")[0])):
                self._ask_restart(self._components[worker], worker)
        else:
            for component in dict.fromkeys(self._components[worker] for worker in self._workers):
                self._ask_restart(component, None)

    def _ask_restart(self, component: str, worker: str | None) -> None:
        try:
            call_rpc(self._watch.servers[component], "restart", worker, DEADLINE_S + 1)
        except RpcError as error:
            self.errors.append(f"restart of {worker or component}: {error}")


def _pid(watch: Watch, worker: str) -> int:
    """The process in service; AssertionError if there is none for ten seconds."""
    end = time.monotonic() + KNOWN_WITHIN_S
    while (pid := watch.pid(worker)) is None:
        assert time.monotonic() < end, f"{worker} is not up"
        time.sleep(0.01)
    return pid
