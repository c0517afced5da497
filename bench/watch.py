"""Watches parents of a switchboard, every few milliseconds: when was each worker up, and which one."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoint, Endpoints
from switchboard.bus.rpc import RpcGroup
from switchboard.settings.hosts import Component
from switchboard.settings.model import Settings

EVERY_S = 0.005


@dataclass
class Spell:
    """A worker was in one state from `begun` until `seen` at least (monotonic s)."""

    begun: float
    seen: float
    state: str
    pid: int | None


def servers_of(data_dir: Path) -> dict[str, Endpoint]:
    """The control sockets of the parents in a data directory."""
    endpoints = Endpoints(Settings.model_construct(data_dir=data_dir).run_dir)
    return {str(name): endpoints.control(name) for name in Component}


class Watch:
    """The history of every worker (`NAME.INSTANCE`) inside the `with` block.

    `servers`: component -> the control socket of its parent.
    """

    def __init__(self, servers: Mapping[str, Endpoint]) -> None:
        self.servers = servers
        self._spells: dict[str, list[Spell]] = defaultdict(list)
        self._focus: frozenset[str] = frozenset()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(5.0)

    def look_at(self, components: Iterable[str]) -> None:
        """Ask these parents from now on."""
        self._focus = frozenset(components)

    def pid(self, worker: str) -> int | None:
        """The process in service now, None while it is unknown."""
        spells = self._spells[worker]
        return spells[-1].pid if spells and spells[-1].state == "up" else None

    def recovered_s(self, worker: str, old: int, since: float) -> float | None:
        """From `since` until another process than `old` was up; None: not yet."""
        back = self._back(worker, old)
        return None if back is None else back.begun - since

    def gap_s(self, worker: str, old: int) -> float | None:
        """From the last moment at which `old` was up until another process was; None: not yet."""
        back = self._back(worker, old)
        if back is None:
            return None
        up = [spell.seen for spell in self._spells[worker] if (spell.state, spell.pid) == ("up", old)]
        return back.begun - max(up)

    def _back(self, worker: str, old: int) -> Spell | None:
        spells = list(self._spells[worker])
        pids = [spell.pid for spell in spells]
        after = spells[pids.index(old) :] if old in pids else []
        return next((spell for spell in after if spell.state == "up" and spell.pid != old), None)

    def _run(self) -> None:
        with BusContext() as context:
            boards = {name: RpcGroup(context, {name: server}) for name, server in self.servers.items()}
            try:
                while not self._stop.wait(EVERY_S):
                    for name in self._focus:
                        self._look(boards[name])
            finally:
                for board in boards.values():
                    board.close()

    def _look(self, board: RpcGroup) -> None:
        board.answers.clear()
        board.wait(1.0)
        self._note(board, time.monotonic())

    def _note(self, board: RpcGroup, now: float) -> None:
        for workers in board.answers.values():
            for one in workers:
                spells = self._spells[f"{one['name']}.{one['instance']}"]
                if spells and (spells[-1].state, spells[-1].pid) == (one["state"], one["pid"]):
                    spells[-1].seen = now
                else:
                    spells.append(Spell(now, now, one["state"], one["pid"]))
