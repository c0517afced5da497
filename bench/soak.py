"""Kills a worker at random every two seconds under load, and weighs every process before and after."""

import random
import time
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
        flaws = (
            ", ".join(f"{n} {flaw.name.lower()}" for flaw, n in self.load.flaws.items() if n) or "all right"
        )
        lines = [
            f"{self.minutes:g} minutes, {self.kills} kills; {self.load.calls} calls, "
            f"{self.load.failed} failed; records: {flaws}.",
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
        if lab.poll(lambda blow=blow: blow.over or None, LATEST_S) is None:  # type: ignore[misc]
            console.print(f"{target} did not come back")
    return kills
