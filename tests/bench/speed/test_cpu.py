"""CPU of processes: nothing is lost from the sum."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.speed.cpu import NOTHING, Cost, Vanished, costs, parse_schedstat, spent

BURN_IN_A_THREAD = """
import threading, time
def burn():
    while time.thread_time() < 0.05:
        pass
thread = threading.Thread(target=burn)
thread.start()
thread.join()
print("burnt", flush=True)
input()
"""


def test_threads_that_ended_count() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BURN_IN_A_THREAD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"burnt\n"
        cost = costs([process.pid])[process.pid]
        living = Path(f"/proc/{process.pid}/schedstat").read_text()
        process.communicate(b"\n")
    assert cost.cpu_s >= parse_schedstat(living) / 1e9 + 0.05


def test_a_process_that_ended_is_an_error() -> None:
    with pytest.raises(Vanished):
        spent({1: NOTHING}, {})
    with subprocess.Popen(["true"]) as process:
        process.wait()
    with pytest.raises(Vanished):
        costs([process.pid])


def test_a_process_that_is_new_counts_from_its_beginning() -> None:
    before, after = {1: Cost(1.0, 5)}, {1: Cost(1.5, 7), 2: Cost(0.25, 1)}
    assert spent(before, after) == {1: Cost(0.5, 2), 2: Cost(0.25, 1)}
