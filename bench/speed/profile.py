"""Where the CPU of a subject goes: per process, and per function as far as perf(1) is there and may look."""

import re
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
_FUNCTION = re.compile(r" *(?P<share>[\d.]+%) +(?P<thread>\d+):\S+ +(?P<function>\S.*\S) *")


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
    """Those of the same name together, the most expensive first."""
    whole = sum(cost.cpu_s for cost in measured.cost.values())
    rows = []
    for name in {names[pid] for pid in measured.cost}:
        pids = [pid for pid in measured.cost if names[pid] == name]
        cpu_s = sum(measured.cost[pid].cpu_s for pid in pids)
        sleeps = sum(measured.cost[pid].sleeps for pid in pids) / measured.calls
        made = sum(system_calls[pid] for pid in pids if pid in system_calls)
        shown = f"{cpu_s * 1e6 / measured.calls:.1f}", f"{100 * cpu_s / whole:.0f} %", f"{sleeps:.2f}"
        rows.append((cpu_s, [name, *shown, f"{made:.2f}" if made else "–"]))
    head = ["process", "CPU per call, µs", "share", "sleeps per call", "system calls per call"]
    return [head, *(row for _, row in sorted(rows, reverse=True))]


def _look_closer(subject: Subject, plan: Plan, pids: list[int]) -> _Seen:
    with TemporaryDirectory(prefix="bench-perf-") as name:
        data = Path(name) / "perf.data"
        recording = ["record", "-F", SAMPLES_A_S, "-o", str(data), "-p", ",".join(map(str, pids))]
        counting = {pid: _count_command(pid) for pid in pids}
        started_tools = [_start(recording), *(_start(command) for command in counting.values())]
        measured = run(subject, plan)
        owners = {int(task.name): pid for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()}
        outputs = [_stop(tool) for tool in started_tools]
        functions = parse_functions(_report(data), owners)
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


def _report(data: Path) -> str:
    command = ["perf", "report", "-i", str(data), "--stdio", "--sort", "pid,dso,sym"]
    shown = subprocess.run(
        command, capture_output=True, text=True, timeout=TOOL_S, check=False, stdin=subprocess.DEVNULL
    )
    return shown.stdout


def parse_functions(report: str, owners: dict[int, int]) -> dict[int, list[str]]:
    """By process the most expensive functions, each with its share of all samples, from what perf printed.

    `owners`: thread -> process; perf counts threads, and those not named here are left out.
    """
    functions: dict[int, list[str]] = {}
    for line in report.splitlines():
        found = _FUNCTION.fullmatch(line)
        if found and (pid := owners.get(int(found["thread"]))):
            functions.setdefault(pid, []).append(f"{found['share']:>7} {found['function']}")
    return {pid: lines[:FUNCTIONS] for pid, lines in functions.items()}
