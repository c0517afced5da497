"""What a call costs by each way that it may take: to a user, by a gateway of the dial plan, by a trunk.

All ways are measured in turn at one switchboard, so that what else the machine does is the same for all. The caller is
registered, as who calls outside has to be. One SIPp at the callees' place is the phones, the gateway and the provider.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from bench.speed.figure import Figure, Line
from bench.speed.registration import register
from bench.speed.run import Plan, Run, prepare, run
from bench.speed.scale import Scale
from bench.speed.scenario import CALL, CHALLENGED, Scenario
from bench.speed.subjects import CALLEE_PORT, HOST, Kind, Subject, started

TURNS: Final = 3
NUMBERS: Final = 1000
_PLACE: Final = f"{HOST}:{CALLEE_PORT}"
_CALLER: Final = "caller"


class Way(NamedTuple):
    """One of them. `digit`: with which its numbers begin; "" for names of users."""

    title: str
    digit: str
    scenario: Scenario


WAYS: Final = (
    Way("to a user", "", CALL),
    Way("by a gateway", "9", CALL),
    Way("by a trunk that does not challenge", "0", CALL),
    Way("by a trunk that challenges each call", "0", CHALLENGED),
)


def lines(rate: int) -> list[Line]:
    """One of the table for each way, then how many times the first the others are."""
    costs = [Line(f"CPU per call at {rate} calls/s {way.title}", "ms", 3) for way in WAYS]
    targets = ["", "ours ≤ 1.2", ""]
    ratios = [
        Line(f"{way.title} against to a user", "times", 2, target)
        for way, target in zip(WAYS[1:], targets, strict=True)
    ]
    return [*costs, *ratios]


def measure_ways(kind: Kind, scale: Scale, rate: int, users: int) -> list[Figure]:
    """A figure for each of the `lines`: medians of the turns."""
    with (
        TemporaryDirectory(prefix="bench-ways-") as directory,
        started(kind, settings=_settings(Path(directory))) as subject,
    ):
        prepare(subject, users)
        register(subject.address, [_CALLER], _PLACE)
        turns = [[_run(subject, scale, rate, users, way) for way in WAYS] for _ in range(TURNS)]
    if flaws := [each.failure for turn in turns for each in turn if each.failure]:
        return [Figure(None, flaws[0])] * (2 * len(WAYS) - 1)
    costs = [median(each.cpu_ms for each in of_way) for of_way in zip(*turns, strict=True)]
    ratios = [median(turn[place].cpu_ms / turn[0].cpu_ms for turn in turns) for place in range(1, len(WAYS))]
    return [Figure(each) for each in (*costs, *ratios)]


def _run(subject: Subject, scale: Scale, rate: int, users: int, way: Way) -> Run:
    plan = Plan(rate, way.scenario, scale.warm_s, scale.window_s, users=users, called=_called(way.digit))
    return run(subject, plan)


def _called(digit: str) -> Sequence[str]:
    return [f"{digit}{905_000_000 + number}" for number in range(NUMBERS)] if digit else ()


def _settings(directory: Path) -> dict[str, str]:
    password = directory / "password"
    password.write_text("secret\n")
    password.chmod(0o600)
    trunk = {
        "registrar": _PLACE,
        "user": "421255500100",
        "domain": "provider.example",
        "caller": "+421255500100",
        "password_file": str(password),
        "register": False,
    }
    rules = [
        {"match": "0*", "strip": 1, "prepend": "+421", "to": "trunk:provider"},
        {"match": "9*", "to": f"sip:{_PLACE}"},
    ]
    return {
        "SWITCHBOARD_TRUNKS": json.dumps({"provider": trunk}),
        "SWITCHBOARD_DIALPLAN": json.dumps({"rules": rules}),
    }
