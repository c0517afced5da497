"""What one picture of `switchboard top` shows: values only, ready for a table or for JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from switchboard.survey.rates import Rates, WorkerRates, lost, rates, waiting, worker_rates
from switchboard.survey.reading import Reading, Survey


@dataclass(frozen=True, slots=True)
class WorkerLine:
    """One worker: a row of the picture."""

    reading: Reading
    rates: WorkerRates
    waiting: int
    lost: int

    def to_map(self) -> dict[str, Any]:
        """For JSON."""
        reading = self.reading
        return {
            "name": reading.name,
            "instance": reading.instance,
            "pid": reading.pid,
            "host": reading.host,
            "state": reading.state,
            "uptime_s": reading.uptime_s,
            "restarts": reading.restarts,
            "memory_bytes": reading.usage.memory_bytes if reading.usage else None,
            **asdict(self.rates),
            "waiting": self.waiting,
            "lost": self.lost,
        }


@dataclass(frozen=True, slots=True)
class Moment:
    """The whole switchboard between two surveys. `calls`: as the journal lists them (docs/BUS.md)."""

    workers: Sequence[WorkerLine]
    rates: Rates
    users: int
    bindings: int
    calls: Sequence[Mapping[str, Any]]
    not_up: Sequence[str]

    def to_map(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "workers": [each.to_map() for each in self.workers],
            "rates": asdict(self.rates),
            "registered": {"users": self.users, "bindings": self.bindings},
            "calls": list(self.calls),
            "not_up": list(self.not_up),
        }


def moment(before: Survey, after: Survey, calls: Sequence[Mapping[str, Any]]) -> Moment:
    """What is to be shown after these two surveys."""
    by_worker = worker_rates(before, after)
    return Moment(
        workers=[WorkerLine(each, by_worker[str(each)], waiting(each), lost(each)) for each in after.workers],
        rates=rates(before, after),
        users=round(after.total("registrar", "users")),
        bindings=round(after.total("registrar", "bindings")),
        calls=calls,
        not_up=after.not_up(),
    )
