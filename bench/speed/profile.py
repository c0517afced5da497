"""Where the CPU of a subject goes: per process, and per function as far as perf(1) is there and may look."""

import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.speed.page import Grid
from bench.speed.run import Plan, Run, prepare, run
from bench.speed.scale import Scale
from bench.speed.subjects import Kind, Subject, started

USERS = 1000
SAMPLES_A_S = "997"
WORTH = 0.05
"""Processes with less than this share of the CPU have no list of functions."""
FUNCTIONS = 12
TOOL_S = 60.0


@dataclass(frozen=True)
class Profile:
    """`functions`: process name -> the lines of perf's report, the most expensive first."""

    rate: int
    processes: Grid
    functions: dict[str, list[str]]
    flaw: str

    def listing(self) -> str:
        """The functions of each process, indented."""
        return "\n\n".join(
            "\n".join([name, "", *(f"    {line}" for line in lines)])
            for name, lines in self.functions.items()
        )


def profile(kind: Kind, rate: int, scale: Scale) -> Profile:
    """Run twice: once for the costs, once under perf, which has costs of its own."""
    plan = Plan(rate, warm_s=scale.warm_s, window_s=scale.window_s, users=USERS)
    with started(kind) as subject:
        prepare(subject, USERS)
        measured = run(subject, plan)
        names = subject.processes()
        seen = _look_closer(subject, plan, _worth(measured)) if shutil.which("perf") else _Seen({}, {})
    functions = {names[pid]: lines for pid, lines in seen.functions.items()}
    return Profile(rate, _process_grid(measured, names, seen.calls_a_call), functions, measured.flaw)


@dataclass(frozen=True)
class _Seen:
    """By pid: perf's lines, and system calls per call."""

    functions: dict[int, list[str]]
    calls_a_call: dict[int, float]


def _worth(measured: Run) -> list[int]:
    whole = sum(cost.cpu_s for cost in measured.cost.values())
    return [pid for pid, cost in measured.cost.items() if cost.cpu_s > WORTH * whole]


def _process_grid(measured: Run, names: dict[int, str], system_calls: dict[int, float]) -> Grid:
    head = ["process", "CPU per call, µs", "share", "sleeps per call", "system calls per call"]
    whole = sum(cost.cpu_s for cost in measured.cost.values())
    grid = [head]
    for pid, cost in sorted(measured.cost.items(), key=lambda item: -item[1].cpu_s):
        each = f"{cost.cpu_s * 1e6 / measured.calls:.1f}", f"{100 * cost.cpu_s / whole:.0f} %"
        calls = f"{system_calls[pid]:.2f}" if pid in system_calls else "–"
        grid.append([names.get(pid, str(pid)), *each, f"{cost.sleeps / measured.calls:.2f}", calls])
    return grid


def _look_closer(subject: Subject, plan: Plan, pids: list[int]) -> _Seen:
    with TemporaryDirectory(prefix="bench-perf-") as name:
        data = Path(name) / "perf.data"
        recording = ["record", "-F", SAMPLES_A_S, "-o", str(data), "-p", ",".join(map(str, pids))]
        counting = {pid: _count_command(pid) for pid in pids}
        started_tools = [_start(recording), *(_start(command) for command in counting.values())]
        measured = run(subject, plan)
        outputs = [_stop(tool) for tool in started_tools]
        functions = {pid: _functions(data, pid) for pid in pids}
    counts = dict(zip(counting, map(parse_count, outputs[1:]), strict=True))
    calls = measured.plan.calls
    return _Seen(functions, {pid: count / calls for pid, count in counts.items() if count is not None})


def _count_command(pid: int) -> list[str]:
    return ["stat", "-x", ";", "-e", "raw_syscalls:sys_enter", "-p", str(pid)]


def parse_count(text: str) -> int | None:
    """The counter, from what `perf stat -x ;` prints; None if perf could not count."""
    first = text.strip().rpartition("\n")[2].partition(";")[0]
    return int(first) if first.isdigit() else None


def _start(arguments: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        ["perf", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def _stop(tool: "subprocess.Popen[str]") -> str:
    """End perf as Ctrl-C does; what it printed."""
    tool.send_signal(signal.SIGINT)
    return tool.communicate(timeout=TOOL_S)[1]


def _functions(data: Path, pid: int) -> list[str]:
    command = ["perf", "report", "-i", str(data), "--stdio", "--pid", str(pid), "--sort", "dso,sym"]
    shown = subprocess.run(
        command, capture_output=True, text=True, timeout=TOOL_S, check=False, stdin=subprocess.DEVNULL
    )
    lines = [line.strip() for line in shown.stdout.splitlines()]
    return [line for line in lines if line and not line.startswith("#")][:FUNCTIONS]
