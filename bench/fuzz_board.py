"""Spoilt datagrams by the million at the running switchboard while calls go on; `make fuzz-board`.

No worker may end, no call fail, nothing stand in the log; memory has to return to where it was. Runs in a network
namespace of its own: whatever is registered there, nothing leaves the machine.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from system.harness import Switchboard
from system.sipp import Sipp

from bench.hostile import Hostile, without_room
from bench.machine import describe_machine
from bench.report import write_section
from bench.soak import MB, Weight, weigh
from bench.speed.namespace import enter_own_network

CALLS_PER_S = 50
COUNTED = ("SuccessfulCall", "FailedCall", "Retransmissions")
WARM_UP = 20_000
"""Datagrams until caches and what else is bounded are full; a tenth of the others if that is more."""
TIMER_C_S = 10
REST_S = 32 + TIMER_C_S + 3
"""After 64*T1 and Timer C no transaction is left."""
DRAIN_S = 30.0
MOST_GROWTH = 0.1
SETTINGS = {
    "SWITCHBOARD_TIMER_C_S": str(TIMER_C_S),
    "SWITCHBOARD_MAX_EXPIRES": "30",
    "SWITCHBOARD_DEFAULT_EXPIRES": "30",
}


@dataclass(frozen=True)
class Found:
    """What the run found. `log`: lines since the start; `ended`: workers that are not those of the start."""

    seed: int
    datagrams: int
    duration_s: float
    paused_s: float
    longest_s: float
    unanswered: int
    dropped: int
    calls: Counter[str]
    errors: str
    ended: list[str]
    log: list[str]
    before: dict[str, Weight]
    after: dict[str, Weight]

    @property
    def growth(self) -> float:
        """Of all processes together: 0.1 is a tenth."""
        return _memory(self.after) / _memory(self.before) - 1

    @property
    def flaws(self) -> list[str]:
        """What is not as it has to be."""
        found = {
            f"calls: {dict(self.calls)}\n{self.errors}": self.calls["FailedCall"] or not self.calls.total(),
            f"workers ended: {self.ended}": self.ended,
            f"in the log: {self.log[:20]}": self.log,
            f"{self.dropped} datagrams found no room": self.dropped,
            f"{self.unanswered} OPTIONS had no answer": self.unanswered,
            f"memory grew by {self.growth:.0%}": self.growth > MOST_GROWTH,
        }
        return [text for text, is_so in found.items() if is_so]

    def markdown(self) -> str:
        """For docs/SECURITY.md."""
        rate = self.datagrams / self.duration_s
        lines = [
            f"{self.datagrams:,} datagrams in {self.duration_s:.0f} s, {rate:,.0f} a second (seed {self.seed}); "
            f"{self.dropped} found no room in the socket. Of the OPTIONS among them {self.unanswered} had no "
            f"answer; the slowest took {self.longest_s * 1000:.0f} ms. Meanwhile {CALLS_PER_S} calls a second, "
            f"{self.calls['SuccessfulCall']:,} in all: {self.calls['FailedCall']} failed, "
            f"{self.calls['Retransmissions']} messages were sent again. Workers that ended: {len(self.ended)}. "
            f"Lines in the log: {len(self.log)}. Memory of all processes: {self.growth:+.1%}.",
            "",
            f"Machine: {describe_machine()}.",
            "",
            "| process | memory before, MB | after | files before | after |",
            "|---|---|---|---|---|",
        ]
        return "\n".join([*lines, *(self._row(name) for name in self.before)])

    def _row(self, name: str) -> str:
        was, now = self.before[name], self.after[name]
        memory = f"{was.memory_bytes / MB:.1f} | {now.memory_bytes / MB:.1f}"
        return f"| {name} | {memory} | {was.files} | {now.files} |"


def _memory(weights: dict[str, Weight]) -> int:
    return sum(each.memory_bytes for each in weights.values())


def run(datagrams: int, rate: float, seed: int, directory: Path) -> Found:
    """Warm up, rest and look; the datagrams and the calls; rest and look again."""
    with Switchboard(SETTINGS) as board, closing(Hostile(board.address, rate, seed)) as hostile:
        hostile.send(max(WARM_UP, datagrams // 10))
        before, workers, told = _rest_and_weigh(board), _workers(board), len(board.log().splitlines())
        paused, begin = hostile.paused_s, time.monotonic()
        calls, errors = _call_meanwhile(board, hostile, datagrams, directory)
        return Found(
            seed=seed,
            datagrams=datagrams,
            duration_s=time.monotonic() - begin,
            paused_s=hostile.paused_s - paused,
            longest_s=hostile.longest_s,
            unanswered=hostile.unanswered,
            dropped=without_room(board.port),
            calls=calls,
            errors=errors,
            before=before,
            after=_rest_and_weigh(board),
            ended=sorted(str(each) for each in _workers(board) ^ workers),
            log=board.log().splitlines()[told:],
        )


def _call_meanwhile(
    board: Switchboard, hostile: Hostile, datagrams: int, directory: Path
) -> tuple[Counter[str], str]:
    """Send the datagrams while SIPp calls; what SIPp counted, and what it found wrong."""
    with Sipp("callee", directory, board.address) as answering:
        hostile.keep_registered("callee", answering.address)
        options = ["-s", "callee", "-r", str(CALLS_PER_S), "-l", str(CALLS_PER_S * 60)]
        with Sipp("caller", directory, board.address, *options) as calling:
            hostile.send(datagrams)
            calling.finish(DRAIN_S)
            return Counter({name: calling.count(name) for name in COUNTED}), calling.errors()


def _rest_and_weigh(board: Switchboard) -> dict[str, Weight]:
    time.sleep(REST_S)
    return weigh(board)


def _workers(board: Switchboard) -> set[tuple[str, int, int | None, int]]:
    return {(one["name"], one["instance"], one["pid"], one["restarts"]) for one in board.components()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datagrams", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=3000, help="datagrams a second")
    parser.add_argument("--seed", type=int, default=time.time_ns() & 0xFFFFFFFF)
    parser.add_argument("--write", type=Path, help="the page whose section `fuzz-board` gets the results")
    arguments = parser.parse_args()
    enter_own_network("bench.fuzz_board")
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        found = run(arguments.datagrams, arguments.rate, arguments.seed, Path(directory))
    print(found.markdown())
    if found.flaws:
        sys.exit("\n".join(found.flaws))
    if arguments.write:
        write_section(arguments.write, "fuzz-board", found.markdown())


if __name__ == "__main__":
    main()
