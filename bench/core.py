"""What the router's core costs without sockets: microseconds of CPU a call, the log's commits included.

python -m bench.core [CALLS] [--profile]    INVITE, 180, 200, ACK, BYE, 200; each message is a drain
"""

import cProfile
import pstats
import sys
import tempfile
from itertools import count
from pathlib import Path

from bench.writeahead import Bench

WARM_UP = 4000
"""So many calls until transactions end as fast as they begin."""
ROUNDS = 20
"""The fastest counts."""


def run(bench: Bench, calls: int, numbers: "count[int]") -> float:
    """Seconds of CPU that core and log take for so many calls."""
    begin = bench.core_s + bench.saving_s
    for _ in range(calls):
        bench.call(next(numbers))
        bench.let_timers_fire()
    return bench.core_s + bench.saving_s - begin


def main(calls: int, profile: bool) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as directory:
        bench, numbers = Bench(Path(directory)), count()
        run(bench, WARM_UP, numbers)
        if profile:
            profiler = cProfile.Profile()
            profiler.runcall(run, bench, calls, numbers)
            pstats.Stats(profiler).sort_stats("tottime").print_stats(45)
            return
        each = calls // ROUNDS
        took_s = min(run(bench, each, numbers) for _ in range(ROUNDS))
        print(f"{1e6 * took_s / each:.0f} us a call, {1e6 * bench.saving_s / bench.saves:.1f} us a save")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 4000, "--profile" in sys.argv)
