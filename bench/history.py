"""What the history costs: CPU of all processes per call, with it and without it.

python -m bench.history [RATE] [ROUNDS]    SIPp at RATE calls/s, 1000 unless told; the runs alternate
"""

import statistics
import sys

from bench.speed.run import Plan, Run, prepare, run
from bench.speed.subjects import Kind, started

HISTORIES = ("off", "on")


def measure(history: str, rate: int) -> tuple[Run, float]:
    """One run, and the milliseconds a call of it that are the history's own process."""
    with started(Kind.OURS, settings={"SWITCHBOARD_HISTORY": history}) as subject:
        plan = Plan(rate, warm_s=1.5, window_s=4.0)
        prepare(subject, plan.users)
        names = subject.processes()
        measured = run(subject, plan)
        own = sum(cost.cpu_s for pid, cost in measured.cost.items() if names.get(pid) == "history.0")
        return measured, 1000 * own / measured.calls


def main(rate: int = 1000, rounds: int = 3) -> None:
    """Print each run, then the medians."""
    found: dict[str, list[float]] = {history: [] for history in HISTORIES}
    for _ in range(rounds):
        for history in HISTORIES:
            measured, own = measure(history, rate)
            note = f"   {measured.flaw}" if measured.flaw else ""
            print(f"{history:4} {measured.cpu_ms:.3f} ms a call, history itself {own:.3f}{note}", flush=True)
            found[history].append(measured.cpu_ms)
    off, on = (statistics.median(found[history]) for history in HISTORIES)
    print(f"at {rate} calls/s: off {off:.3f} ms, on {on:.3f} ms a call: {100 * (on / off - 1):+.0f} %")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
