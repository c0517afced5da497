"""Spoilt datagrams by the million at the running switchboard while calls go on; `make fuzz-board`.

No worker may end, no call fail, nothing stand in the log; memory has to return to where it was. Runs in a
network namespace of its own: whatever is registered there, nothing leaves the machine.
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
WARM_UP = 150_000
"""Datagrams, with calls, until caches are full and a minute's transactions have been there at once."""
TIMER_C_S = 10
REST_S = TIMER_C_S + 2 * 32 + 4
"""After Timer C, Timer B or F, and Timer J no transaction is left."""
DRAIN_S = 30.0
MOST_GROWTH = 0.1
REFUSED = ("auth failed", "registration elsewhere")
"""Lines that tell who was refused, a bounded number a second: they are wanted."""
SETTINGS = {
    "SWITCHBOARD_TIMER_C_S": str(TIMER_C_S),
    "SWITCHBOARD_MAX_EXPIRES": "30",
    "SWITCHBOARD_DEFAULT_EXPIRES": "30",
    "SWITCHBOARD_RATE_EXEMPT": "127.0.0.0/8",
    "SWITCHBOARD_MAX_SOURCE_TRANSACTIONS": "1000000",
}
"""No limit per source: it would keep the datagrams away from the code that is to be tried."""


@dataclass(frozen=True)
class Found:
    """What the run found. `log`: lines since the warm-up, refusals apart.

    `ended`: workers that are not those of then.

    Memory is only judged after a full warm-up (`is_warm`), with rests in which all transactions end.
    """

    seed: int
    is_warm: bool
    datagrams: int
    duration_s: float
    paused_s: float
    longest_s: float
    unanswered: int
    refused: int
    refused_with: int
    dropped: int
    lost: int
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
            f"{self.refused} OPTIONS were refused, the last with {self.refused_with}": self.refused_with
            not in (0, 503),
            f"{self.lost} answers found no room in the sender's socket": self.lost,
            f"memory grew by {self.growth:.0%}": self.is_warm and self.growth > MOST_GROWTH,
        }
        return [text for text, is_so in found.items() if is_so]

    def markdown(self) -> str:
        """For docs/SECURITY.md."""
        rate = self.datagrams / self.duration_s
        lines = [
            f"{self.datagrams:,} spoilt datagrams in {self.duration_s:.0f} s, {rate:,.0f} a second "
            f"(seed {self.seed}); {self.dropped} found no room in the socket. Of the OPTIONS among them "
            f"{self.unanswered} had no answer, {self.refused} were refused; the slowest took "
            f"{self.longest_s * 1000:.0f} ms. Meanwhile "
            f"{CALLS_PER_S} calls a second, {self.calls['SuccessfulCall']:,} in all: "
            f"{self.calls['FailedCall']} failed, {self.calls['Retransmissions']} messages were sent again. "
            f"Workers that ended: {len(self.ended)}. Lines in the log: {len(self.log)}. "
            f"Memory of all processes: {self.growth:+.1%}.",
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


def run(datagrams: int, warm_up: int, rate: float, seed: int, directory: Path) -> Found:
    """Warm up, rest and look; the datagrams and the calls; rest and look again."""
    is_warm = warm_up >= WARM_UP
    with Switchboard(SETTINGS) as board, closing(Hostile(board.address, rate, seed)) as hostile:
        _call_meanwhile(board, hostile, warm_up, directory / "warm-up")
        before, workers, told = (
            _rest_and_weigh(board, is_warm),
            _workers(board),
            len(board.log().splitlines()),
        )
        paused, begin = hostile.paused_s, time.monotonic()
        calls, errors = _call_meanwhile(board, hostile, datagrams, directory / "measured")
        return Found(
            seed=seed,
            is_warm=is_warm,
            datagrams=datagrams,
            duration_s=time.monotonic() - begin,
            paused_s=hostile.paused_s - paused,
            longest_s=hostile.longest_s,
            unanswered=hostile.unanswered,
            refused=hostile.refused,
            refused_with=hostile.refused_with,
            dropped=without_room(board.port),
            lost=hostile.lost,
            calls=calls,
            errors=errors,
            before=before,
            after=_rest_and_weigh(board, is_warm),
            ended=sorted(str(each) for each in _workers(board) ^ workers),
            log=[
                line for line in board.log().splitlines()[told:] if not any(each in line for each in REFUSED)
            ],
        )


def _call_meanwhile(
    board: Switchboard, hostile: Hostile, datagrams: int, directory: Path
) -> tuple[Counter[str], str]:
    """Send the datagrams while SIPp calls; what SIPp counted, and what it found wrong."""
    directory.mkdir()
    with Sipp("callee", directory, board.address) as answering:
        hostile.keep_registered("callee", answering.address)
        options = ["-s", "callee", "-r", str(CALLS_PER_S), "-l", str(CALLS_PER_S * 60)]
        with Sipp("caller", directory, board.address, *options) as calling:
            hostile.send(datagrams)
            calling.finish(DRAIN_S)
            return Counter({name: calling.count(name) for name in COUNTED}), _aborts(calling.errors())


def _aborts(errors: str) -> str:
    """Why calls failed: not what came for calls that had ended."""
    return "\n".join(each for each in errors.split("\n'") if "Dead call" not in each)[:4000]


def _rest_and_weigh(board: Switchboard, is_warm: bool) -> dict[str, Weight]:
    time.sleep(REST_S if is_warm else 0)
    return weigh(board)


def _workers(board: Switchboard) -> set[tuple[str, int, int | None, int]]:
    return {(one["name"], one["instance"], one["pid"], one["restarts"]) for one in board.components()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datagrams", type=int, default=1_000_000)
    parser.add_argument("--warm-up", type=int, default=WARM_UP, help="datagrams before the first weighing")
    parser.add_argument("--rate", type=float, default=2400, help="datagrams a second")
    parser.add_argument("--seed", type=int, default=time.time_ns() & 0xFFFFFFFF)
    parser.add_argument("--write", type=Path, help="the page whose section `fuzz-board` gets the results")
    arguments = parser.parse_args()
    enter_own_network("bench.fuzz_board")
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        found = run(arguments.datagrams, arguments.warm_up, arguments.rate, arguments.seed, Path(directory))
    print(found.markdown())
    if found.flaws:
        sys.exit("\n".join(found.flaws))
    if arguments.write:
        write_section(arguments.write, "fuzz-board", found.markdown())


if __name__ == "__main__":
    main()
