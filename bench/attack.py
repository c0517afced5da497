"""Calls of registered users while somebody attacks: python -m bench.attack [--only NAME …] [--write PAGE]

SIPp places calls between two registered users, from an address that is exempt from rate limits as a gateway's
is, and a flooder does its worst from others. Then more calls are offered than can be served. Last, others' dialogs
and contacts are misused: what of it reaches who has nothing to do with it (`third_parties`).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from system.harness import Switchboard
from system.net import Net
from system.sipp import Sipp
from system.user_agent import UserAgent

from bench.asked import stat
from bench.machine import describe_machine
from bench.report import write_section
from bench.third_parties import REACH_HEAD, REACH_SECTION, REACHES, reaches

CALLS_PER_S = 50
VICTIM = "victim"
"""Whose password is guessed."""
ASKING = {"SWITCHBOARD_AUTH": "on", "SWITCHBOARD_TRUSTED": "127.0.0.1"}
"""Who guesses is asked for a password, SIPp is not."""
BEGIN_S = 1.0
CALL_S = 40.0
"""A call that retransmits to the end."""
CARRIED = 0.97
"""The part of what is offered that succeeds unless it is too much."""
STEP = 1.25
ROUNDS = 3
SECTION = "attacks"
OVERLOAD = "overload"
"""Names the last part: more calls than can be served."""
HEAD = (
    "attack",
    "sources",
    "datagrams/s",
    "ignored",
    "answered",
    "octets back",
    "calls",
    "succeeded",
    "memory MB",
)


@dataclass(frozen=True)
class Attack:
    """What a flooder does: `rate` turns a second from so many sources. `settings`: of the switchboard."""

    name: str
    kind: str
    rate: float
    sources: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)


ATTACKS = (
    Attack("none", "", 0),
    Attack("REGISTER flood", "register", 4000),
    Attack("INVITE flood, one source", "invite", 4000),
    Attack("INVITE flood, 250 sources", "invite", 1000, 250),
    Attack("OPTIONS scan", "options", 4000),
    Attack("digest brute force", "brute", 4000, settings=ASKING),
    Attack("slow CANCEL storm", "cancel", 100),
)


@dataclass
class Outcome:
    """What became of the calls, and of the flood."""

    calls: int
    succeeded: int
    placing_s: float
    ignored: float
    grown_mb: float
    flood: Mapping[str, int]

    @property
    def share(self) -> float:
        """Of the calls that were placed, those that went as they should."""
        return self.succeeded / self.calls


@contextmanager
def flooding(attack: Attack, switchboard: Switchboard, seconds: float, user: str) -> Iterator[dict[str, int]]:
    """Attack beside the block; afterwards the counts are in what this yields."""
    counts: dict[str, int] = {}
    if not attack.kind:
        yield counts
        return
    words = [attack.kind, *map(str, (*switchboard.address, attack.rate, seconds, attack.sources)), user]
    command = [sys.executable, "-m", "bench.flood", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield counts
        said, _ = process.communicate(timeout=seconds + 30)
    counts.update(json.loads(said))


def memory_mb(switchboard: Switchboard) -> float:
    """Of all its processes, what each has for itself."""
    return sum(process.memory_full_info().pss for process in switchboard.processes()) / 2**20


def measure(switchboard: Switchboard, attack: Attack, seconds: float, rate: int = CALLS_PER_S) -> Outcome:
    """Place calls for so long while the attack goes on."""
    calls = int(rate * seconds)
    with tempfile.TemporaryDirectory() as directory, Net(switchboard.address) as net:
        callee, caller = UserAgent(net, "callee"), UserAgent(net, "caller")
        caller.user = "caller"  # as SIPp's scenario has it
        before = memory_mb(switchboard)
        with Sipp("callee", Path(directory), switchboard.address) as answering:
            callee.register([f"<sip:callee@{answering.address[0]}:{answering.address[1]}>"]).expect(200)
            caller.register([f"<{caller.contact}>"]).expect(200)
            options = ["-s", callee.user, "-r", str(rate), "-m", str(calls), "-l", str(10 * calls)]
            aim = VICTIM if attack.kind == "brute" else callee.user
            with flooding(attack, switchboard, seconds + BEGIN_S, aim) as flood:
                time.sleep(BEGIN_S)
                with Sipp("caller", Path(directory), switchboard.address, *options) as calling:
                    with suppress(subprocess.TimeoutExpired):
                        calling.wait(seconds + CALL_S)
                    succeeded, placing_s = calling.count("SuccessfulCall"), calling.placing_s()
        ignored = stat(switchboard, "edge-rx.0", "datagrams.ignored")
        return Outcome(calls, succeeded, placing_s, ignored, memory_mb(switchboard) - before, flood)


def row(attack: Attack, outcome: Outcome, seconds: float) -> tuple[str, ...]:
    """As the table has it."""
    flood = outcome.flood
    sent, back = flood.get("sent", 0), flood.get("received", 0)
    octets = flood.get("received_octets", 0) / flood["sent_octets"] if sent else 0.0
    return (
        attack.name,
        str(attack.sources if attack.kind else 0),
        f"{sent / (seconds + BEGIN_S):.0f}",
        f"{outcome.ignored / sent:.1%}" if sent else "",
        f"{back / sent:.1%}" if sent else "",
        f"{octets:.1%}" if sent else "",
        str(outcome.calls),
        f"{outcome.share:.2%}",
        f"{outcome.grown_mb:+.0f}",
    )


def run(attacks: Iterable[Attack], seconds: float, variables: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Each attack on a fresh switchboard."""
    rows = []
    for attack in attacks:
        settings = {"SWITCHBOARD_RATE_EXEMPT": "127.0.0.1", **attack.settings, **variables}
        with Switchboard(settings) as switchboard:
            switchboard.cli("user", "add", VICTIM, "--generate")
            rows.append(row(attack, measure(switchboard, attack, seconds), seconds))
            print(*rows[-1], sep="  ", flush=True)
    return rows


def goodput(wanted: float, seconds: float, variables: Mapping[str, str]) -> tuple[float, float]:
    """Return how many calls a second SIPp could offer, and how many of them succeeded.

    The switchboard has a processor for itself, so that SIPp takes nothing from it however much it offers.
    """
    settings = {"SWITCHBOARD_RATE_EXEMPT": "127.0.0.1", **variables}
    whole = os.sched_getaffinity(0)
    own = min(whole)
    try:
        os.sched_setaffinity(0, {own})
        with Switchboard(settings) as switchboard:
            os.sched_setaffinity(0, whole - {own} or whole)
            outcome = measure(switchboard, Attack("none", "", 0), seconds, round(wanted))
    finally:
        os.sched_setaffinity(0, whole)
    lasted_s = max(seconds, outcome.placing_s)
    return outcome.calls / lasted_s, outcome.succeeded / lasted_s


def overload(start: float, seconds: float, variables: Mapping[str, str]) -> Iterator[str]:
    """Offer more and more until calls fail; then, in turn, what succeeded best and three times as much."""
    tried: dict[float, float] = {}
    rate = start
    while not tried or min(good / offered for offered, good in tried.items()) > CARRIED:
        offered, good = goodput(rate, seconds, variables)
        yield f"* {offered:.0f} calls/s offered: {good:.0f} succeed"
        tried[offered] = good
        rate *= STEP
    capacity = max(tried.values())
    rounds = [[goodput(times * capacity, seconds, variables) for times in (1, 3)] for _ in range(ROUNDS)]
    shares = [above[1] / at[1] for at, above in rounds]
    for (at, above), share in zip(rounds, shares, strict=True):
        yield (
            f"* {at[0]:.0f} offered: {at[1]:.0f} succeed; then {above[0]:.0f} offered: "
            f"{above[1]:.0f} succeed, {share:.0%} of that"
        )
    yield f"* Median: {median(shares):.0%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=20.0, help="that each attack lasts")
    parser.add_argument(
        "--only",
        nargs="*",
        default=[],
        metavar="NAME",
        help=f"beginnings of attacks' names, or {OVERLOAD}; a section of the page is written if one of its rows is new",
    )
    parser.add_argument("--start", type=int, default=1000, help="calls a second to find the capacity from")
    parser.add_argument("--variables", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="where the results are written")
    asked = parser.parse_args()
    variables = dict(each.split("=", 1) for each in asked.variables)
    wanted = [*(each.name for each in ATTACKS), OVERLOAD, *REACHES]
    wanted = [name for name in wanted if not asked.only or name.startswith(tuple(asked.only))]
    rows = run([each for each in ATTACKS if each.name in wanted], asked.seconds, variables)
    lines = []
    for line in overload(asked.start, asked.seconds, variables) if OVERLOAD in wanted else ():
        print(line, flush=True)
        lines.append(line)
    reached = list(reaches([name for name in REACHES if name in wanted]))
    machine = describe_machine()
    if asked.write and (rows or lines):
        text = [f"Measured on {machine}; {asked.seconds:g} s each.", "", table(rows), "", *lines]
        write_section(asked.write, SECTION, "\n".join(text))
    if asked.write and reached:
        text = [f"Measured on {machine}.", "", table(reached, REACH_HEAD)]
        write_section(asked.write, REACH_SECTION, "\n".join(text))


def table(rows: Iterable[tuple[str, ...]], head: Sequence[str] = HEAD) -> str:
    """In Markdown."""
    return "\n".join(f"| {' | '.join(each)} |" for each in (head, ["---"] * len(head), *rows))


if __name__ == "__main__":
    main()
