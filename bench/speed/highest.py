"""The highest rate with at most 0.1 % of the calls failed, and what a second router adds to it."""

from contextlib import AbstractContextManager

from bench.speed.figure import Figure
from bench.speed.quota import limited
from bench.speed.run import Plan, prepare, run
from bench.speed.search import highest_rate
from bench.speed.subjects import Kind, Subject, started

USERS = 1000
START = 1000
COARSE, FINE = 2.0, 1.06
WARM_S = 1.0
WORKERS = {Kind.KAMAILIO: 2}
ROUTER_SHARE = 0.05
"""Of a core, for each router: little enough that nothing else on two cores is the bottleneck."""
ROUTER_START = 100


class HighestRate:
    """A search in each round; the later ones begin where the first one ended. `trial_s`: of each rate."""

    def __init__(self, trial_s: float) -> None:
        self._trial_s = trial_s
        self._found: dict[Kind, int] = {}

    def measure(self, kind: Kind) -> list[Figure]:
        """Each rate is tried on a subject of its own, so that no overload is left from the one before."""
        known = self._found.get(kind)
        start, factor = (round(known / FINE), FINE) if known else (START, COARSE)
        found = highest_rate(lambda rate: self._carries(kind, rate), start, factor)
        self._found[kind] = found
        return [Figure(found) if found else Figure(None, "none found")]

    def _carries(self, kind: Kind, rate: int) -> bool:
        with started(kind, WORKERS.get(kind, 0)) as subject:
            return _passes(subject, rate, self._trial_s)


def two_routers(trial_s: float) -> list[Figure]:
    """The rate that one router carries, that of two, and the ratio; each has ROUTER_SHARE of a core."""
    one, two = (_with_routers(count, trial_s) for count in (1, 2))
    if not one:
        return [Figure(None, "none found")] * 3
    return [Figure(one), Figure(two), Figure(two / one)]


def _with_routers(count: int, trial_s: float) -> int:
    def carries(rate: int) -> bool:
        with started(Kind.OURS, count) as subject, _only_a_part(subject):
            return _passes(subject, rate, trial_s)

    return highest_rate(carries, ROUTER_START, COARSE)


def _only_a_part(subject: Subject) -> AbstractContextManager[None]:
    routers = [pid for pid, name in subject.processes().items() if name.startswith("router.")]
    return limited(routers, ROUTER_SHARE)


def _passes(subject: Subject, rate: int, trial_s: float) -> bool:
    prepare(subject, USERS)
    return not run(subject, Plan(rate, warm_s=WARM_S, window_s=trial_s, users=USERS)).failure
