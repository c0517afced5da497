"""What the router's core costs without sockets: microseconds of CPU a message, the log's commit included.

python -m bench.core [CALLS] [--profile]     INVITE, 180, 200, ACK, BYE, 200; each message is a drain
"""

import cProfile
import pstats
import sys
import tempfile
from itertools import count
from pathlib import Path
from time import process_time

from bench.writeahead import Bench


def run(bench: Bench, calls: int, numbers: "count[int]") -> float:
    """Seconds of CPU for so many calls."""
    begin = process_time()
    for _ in range(calls):
        bench.call(next(numbers))
        bench.let_timers_fire()
    return process_time() - begin


def main(calls: int, profile: bool) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as directory:
        bench, numbers = Bench(Path(directory)), count()
        run(bench, calls // 4, numbers)
        if profile:
            profiler = cProfile.Profile()
            profiler.runcall(run, bench, calls, numbers)
            pstats.Stats(profiler).sort_stats("tottime").print_stats(45)
            return
        took_s = run(bench, calls, numbers)
        print(f"{1e6 * took_s / calls:.0f} us a call, {1e6 * bench.saving_s / bench.saves:.1f} us a save")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 2000, "--profile" in sys.argv)
