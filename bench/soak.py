"""Kills a worker at random every two seconds under load, and weighs every process before and after.

Or the same for a short time beside other programs that take all the processor that they get.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from system.harness import Switchboard

from bench.blow import Way
from bench.load import Load, Outcome
from bench.ours import Ours
from bench.phones import Lab
from switchboard.journal.changes import MAX_RECORDED

KILL_EVERY_S = 2.0
QUIET_S = 40.0
"""After 64*T1 no transaction is left."""
WARM_UP_CALLS = 1.1 * MAX_RECORDED
"""Until the journal's memory of recorded calls is full: it is bounded, but it does not begin so large."""
LATEST_S = 120.0
MB = 1 << 20


@dataclass(frozen=True)
class Weight:
    """What one process holds; `log_bytes`: its files in the data directory."""

    memory_bytes: int
    files: int
    log_bytes: int


AHEAD = -10
"""The priority of our phones beside other programs: it is the switchboard that may be late, not they."""


@dataclass(frozen=True)
class Busy:
    """What happened beside `loops` programs that are never idle. `load`: the machine's load average at the end."""

    loops: int
    kills: int
    load: float
    outcome: Outcome

    def markdown(self) -> str:
        """A sentence."""
        return (
            f"Beside {self.loops} busy loops (load average {self.load:.1f}), {self.kills} kills: "
            f"{self.outcome.calls} calls, {self.outcome.failed} failed; records: {self.outcome.flawed()}."
        )


def soak_beside(loops: int, routers: int, rate: int, minutes: float, console: Console) -> Busy:
    """Kill one worker after the other while that many busy loops compete with the switchboard."""
    with Ours(routers) as ours, Lab(ours.address) as lab:
        with Load(ours.address) as load, busy_loops(loops):
            for pid in (load.pid, os.getpid()):
                with suppress(PermissionError):
                    os.setpriority(os.PRIO_PROCESS, pid, AHEAD)
            load.start(rate, round(rate * minutes * 60))
            kills = _kill(ours, lab, minutes * 60, console)
            outcome, average = load.finish(LATEST_S), os.getloadavg()[0]
        assert ours.ledger is not None
        ours.ledger.update()
        outcome.judge(ours.ledger.records)
    return Busy(loops, kills, average, outcome)


@contextmanager
def busy_loops(number: int) -> Iterator[None]:
    """So many programs that are never idle."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@dataclass(frozen=True)
class Soaked:
    """What a soak found: weights by process name, before and after."""

    minutes: float
    kills: int
    load: Outcome
    before: dict[str, Weight]
    after: dict[str, Weight]

    def markdown(self) -> str:
        """A sentence, and a row a process."""
        lines = [
            f"{self.minutes:g} minutes, {self.kills} kills; {self.load.calls} calls, "
            f"{self.load.failed} failed; records: {self.load.flawed()}.",
            "",
            "| process | memory before, MB | after | files before | after | log before, KB | after |",
            "|---|---|---|---|---|---|---|",
        ]
        return "\n".join([*lines, *(self._row(name) for name in self.before)])

    def _row(self, name: str) -> str:
        was, now = self.before[name], self.after.get(name, Weight(0, 0, 0))
        return (
            f"| {name} | {was.memory_bytes / MB:.1f} | {now.memory_bytes / MB:.1f} "
            f"| {was.files} | {now.files} | {was.log_bytes / 1024:.0f} | {now.log_bytes / 1024:.0f} |"
        )


def soak(routers: int, rate: int, minutes: float, console: Console) -> Soaked:
    """Run it: a warm-up with some kills, a rest and a look; the kills; a rest and another look."""
    with Ours(routers) as ours, Lab(ours.address) as lab:
        with Load(ours.address) as load:
            load.start(rate, round(WARM_UP_CALLS))
            _kill(ours, lab, KILL_EVERY_S * 2 * len(ours.workers), console)
            load.finish(WARM_UP_CALLS / rate + LATEST_S)
            before = rest_and_weigh(ours.switchboard, lab)
            load.start(rate, round(rate * minutes * 60))
            kills = _kill(ours, lab, minutes * 60, console)
            outcome = load.finish(LATEST_S)
            after = rest_and_weigh(ours.switchboard, lab)
        assert ours.ledger is not None
        ours.ledger.update()
        outcome.judge(ours.ledger.records)
    return Soaked(minutes, kills, outcome, before, after)


def rest_and_weigh(switchboard: Switchboard, lab: Lab) -> dict[str, Weight]:
    """What every process holds once no transaction is left."""
    lab.listen(QUIET_S)
    return weigh(switchboard)


def weigh(switchboard: Switchboard) -> dict[str, Weight]:
    """Every worker in service and every parent."""
    pids: dict[str, int] = {}
    for one in switchboard.components():
        assert one["pid"] is not None, f"{one['name']} is down"
        pids[f"{one['name']}.{one['instance']}"] = one["pid"]
        parent = psutil.Process(one["pid"]).parent()
        assert parent is not None
        pids[f"parent of {one['name'].partition('-')[0]}"] = parent.pid
    return {name: _weigh(pid, _files_of(switchboard.data_dir, name)) for name, pid in sorted(pids.items())}


def _weigh(pid: int, files: list[Path]) -> Weight:
    process = psutil.Process(pid)
    size = sum(file.stat().st_size for file in files)
    return Weight(process.memory_full_info().pss, process.num_fds(), size)


def _files_of(data_dir: Path, name: str) -> list[Path]:
    patterns = {"registrar.0": "location.db*", "journal.0": "journal.db*"}
    pattern = patterns.get(name, f"{name.replace('.', '-')}/*")
    return list(data_dir.glob(pattern))


def _kill(ours: Ours, lab: Lab, duration_s: float, console: Console) -> int:
    """Kill one worker after the other; return how many."""
    end = time.monotonic() + duration_s
    kills = 0
    while time.monotonic() < end:
        target = random.choice(list(ours.workers))
        blow = ours.blow(target, Way.KILL)
        blow.strike(lab)
        kills += 1
        lab.listen(KILL_EVERY_S)
        if lab.poll(lambda blow=blow: blow.over, LATEST_S) is None:  # type: ignore[misc]
            console.print(f"{target} did not come back")
    return kills
