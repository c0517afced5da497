"""What processes have cost so far: CPU in nanoseconds, and how often they went to sleep.

A process's CPU clock (clock_getcpuclockid(3)) is the kernel's sum of what /proc/PID/task/*/schedstat shows
for each thread, and includes the threads that have ended.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_SCHED = 2


class Vanished(AssertionError):
    """A process that was being measured has ended, and its costs with it."""


@dataclass(frozen=True)
class Cost:
    """`cpu_s`: user + system; `sleeps`: how often the living threads gave the processor up to wait."""

    cpu_s: float
    sleeps: int

    def __sub__(self, earlier: "Cost") -> "Cost":
        return Cost(self.cpu_s - earlier.cpu_s, self.sleeps - earlier.sleeps)


NOTHING = Cost(0.0, 0)


def costs(pids: Iterable[int]) -> dict[int, Cost]:
    """What each process has cost since it began; Vanished if there is none with such a pid."""
    return {pid: _cost(pid) for pid in pids}


def spent(before: dict[int, Cost], after: dict[int, Cost]) -> dict[int, Cost]:
    """What each process cost in between; Vanished if one of the former is not among the latter."""
    if gone := before.keys() - after.keys():
        raise Vanished(f"ended while it was measured: {sorted(gone)}")
    return {pid: cost - before.get(pid, NOTHING) for pid, cost in after.items()}


def parse_schedstat(text: str) -> int:
    """Nanoseconds on a processor, from the text of a schedstat file."""
    return int(text.split()[0])


def _cost(pid: int) -> Cost:
    try:
        cpu_ns = time.clock_gettime_ns(~pid << 3 | _SCHED)
        return Cost(cpu_ns / 1e9, sum(_sleeps(task) for task in Path(f"/proc/{pid}/task").iterdir()))
    except OSError as error:
        raise Vanished(f"process {pid} has ended") from error


def _sleeps(task: Path) -> int:
    try:
        status = (task / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # The thread has just ended.
    lines = (line.partition(":") for line in status.splitlines())
    return sum(int(value) for name, _, value in lines if name == "voluntary_ctxt_switches")
