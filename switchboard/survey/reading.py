"""How the workers of a switchboard are at one moment: values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

UP = "up"


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has taken of the machine: processor time since its start (s), and memory now."""

    cpu_s: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Reading:
    """One worker: what its parent says of it (docs/BUS.md, Control), what it counts, what it uses.

    `counters` are empty if it gave no answer; `usage` is None for a process of another host.
    """

    name: str
    instance: int
    pid: int | None
    host: str
    state: str
    uptime_s: float
    restarts: int
    counters: Mapping[str, float] = field(default_factory=dict)
    usage: Usage | None = None
    address: str = ""
    """Where people find it, if it serves them."""

    def __str__(self) -> str:
        return f"{self.name}.{self.instance}"


@dataclass(frozen=True, slots=True)
class Survey:
    """All workers, in the order of the Procfile. `now`: monotonic s."""

    now: float
    workers: tuple[Reading, ...]

    def not_up(self) -> list[str]:
        """The workers that are not up."""
        return [str(each) for each in self.workers if each.state != UP]

    def total(self, name: str, counter: str) -> float:
        """The sum of a counter over all instances of the worker `name`."""
        return sum(each.counters.get(counter, 0.0) for each in self.workers if each.name == name)
