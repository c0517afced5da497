"""How the workers of a switchboard are at one moment, and what happened between two: values only."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from switchboard.journal.shipping import ERROR as SHIPPING_ERROR
from switchboard.journal.shipping import WAITING
from switchboard.storage.writing import ERROR, words_of

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
    why: str = ""
    """Why it is not up, for people, if its parent knows that."""

    def __str__(self) -> str:
        return f"{self.name}.{self.instance}"

    @property
    def cannot_write(self) -> str:
        """Why it cannot write what it keeps, for people; "" if it can."""
        return words_of(round(self.counters.get(ERROR, 0)))

    @property
    def cannot_ship(self) -> str:
        """Why records of calls wait for the journal's database, and how many, for people; "" if it takes them."""
        error = words_of(round(self.counters.get(SHIPPING_ERROR, 0)))
        return error and f"{error}; records that wait: {self.counters.get(WAITING, 0):.0f}"


@dataclass(frozen=True, slots=True)
class Survey:
    """All workers, in the order of Component. `now`: monotonic s."""

    now: float
    workers: tuple[Reading, ...]

    def not_up(self) -> list[str]:
        """The workers that are not up."""
        return [str(each) for each in self.workers if each.state != UP]

    def cannot_write(self) -> dict[str, str]:
        """The workers that are up and cannot write what they keep, and why."""
        return {str(each): each.cannot_write for each in self.workers if each.cannot_write}

    def total(self, name: str, counter: str) -> float:
        """The sum of a counter over all instances of the worker `name`."""
        return sum(each.counters.get(counter, 0.0) for each in self.workers if each.name == name)

    def most(self, name: str, counter: str) -> float:
        """The highest of a counter of which each instance knows all."""
        found = (each.counters.get(counter, 0.0) for each in self.workers if each.name == name)
        return max(found, default=0.0)


RESPONSE_CLASSES = tuple(f"{digit}xx" for digit in range(1, 7))
_LOST = ("dropped", "failed", "bad_items", "bad_frames", "bad_casts")
_TURNED_AWAY = "auth_failed"
"""Nothing was lost: somebody got an answer."""
PROBES = "probes"
"""Questions of our own that a router answered: no traffic."""
ASKED, ANSWERS = "qualify_asked", "qualify_answers"
"""OPTIONS of our own to phones, and the answers: none, either."""


@dataclass(frozen=True, slots=True)
class WorkerRates:
    """One worker between two surveys; None where it is not the same process, or gave no answer."""

    cpu_percent: float | None
    messages_s: float | None
    """SIP messages and other items that it took, a second."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The whole switchboard, a second, without probes: datagrams, calls begun, responses by class (`2xx`)."""

    received_s: float
    sent_s: float
    calls_s: float
    registers_s: float
    responses_s: Mapping[str, float]


def worker_rates(before: Survey, after: Survey) -> dict[str, WorkerRates]:
    """By NAME.INSTANCE."""
    elapsed_s = after.now - before.now
    known = {(str(each), each.pid): each for each in before.workers}
    return {
        str(each): _worker_rates(known.get((str(each), each.pid)), each, elapsed_s) for each in after.workers
    }


READERS = ("edge-rx", "edge-stream")
SENDERS = ("edge-tx", "edge-stream", "router")
ANSWERING = ("translator", "router", "registrar")


def rates(before: Survey, after: Survey) -> Rates:
    """What went through all of it. A worker that has begun anew counts from 0."""

    def a_second(names: Sequence[str], *counters: str) -> float:
        grown = (_growth(before, after, name, counter) for name in names for counter in counters)
        return sum(grown) / (after.now - before.now)

    probes_s = a_second(["router"], PROBES)
    asked_s, answers_s = a_second(["router"], ASKED), a_second(["router"], ANSWERS)
    succeeded_s = a_second(ANSWERING, "responses.2xx")
    return Rates(
        received_s=max(0.0, a_second(READERS, "datagrams.message") - probes_s - answers_s),
        sent_s=max(0.0, a_second(SENDERS, "sent", "messages.out") - probes_s - asked_s),
        calls_s=a_second(["journal"], "records", "open_calls"),
        registers_s=a_second(["registrar"], "replied"),
        responses_s={each: a_second(ANSWERING, f"responses.{each}") for each in RESPONSE_CLASSES}
        | {"2xx": max(0.0, succeeded_s - probes_s)},
    )


def waiting(reading: Reading) -> int:
    """How many items wait in the queues that a worker keeps."""
    return round(sum(n for name, n in reading.counters.items() if name.endswith("waiting")))


def lost(reading: Reading) -> int:
    """How many items a worker has dropped or could not use, whatever the cause, since its start."""
    return round(
        sum(n for name, n in reading.counters.items() if name.endswith(_LOST) and name != _TURNED_AWAY)
    )


def _worker_rates(before: Reading | None, after: Reading, elapsed_s: float) -> WorkerRates:
    if before is None or after.pid is None:
        return WorkerRates(None, None)
    cpu_percent = None
    if before.usage and after.usage:
        cpu_percent = 100 * (after.usage.cpu_s - before.usage.cpu_s) / elapsed_s
    if not (before.counters and after.counters):
        return WorkerRates(cpu_percent, None)
    return WorkerRates(cpu_percent, (_taken(after) - _taken(before)) / elapsed_s)


def _taken(reading: Reading) -> float:
    return reading.counters.get("datagrams.message", reading.counters.get("items_in", 0.0))


def _growth(before: Survey, after: Survey, name: str, counter: str) -> float:
    pids = {str(each): each.pid for each in before.workers}
    known = {str(each): each.counters.get(counter, 0.0) for each in before.workers}
    return sum(
        each.counters[counter] - (known[str(each)] if pids.get(str(each)) == each.pid else 0.0)
        for each in after.workers
        if each.name == name and counter in each.counters
    )


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
            "cannot_write": reading.cannot_write,
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
    cannot_write: Mapping[str, str]

    def to_map(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "workers": [each.to_map() for each in self.workers],
            "rates": asdict(self.rates),
            "registered": {"users": self.users, "bindings": self.bindings},
            "calls": list(self.calls),
            "not_up": list(self.not_up),
            "cannot_write": dict(self.cannot_write),
        }


def moment(before: Survey, after: Survey, calls: Sequence[Mapping[str, Any]]) -> Moment:
    """What is to be shown after these two surveys."""
    by_worker = worker_rates(before, after)
    return Moment(
        workers=[WorkerLine(each, by_worker[str(each)], waiting(each), lost(each)) for each in after.workers],
        rates=rates(before, after),
        users=round(after.most("registrar", "users")),
        bindings=round(after.most("registrar", "bindings")),
        calls=calls,
        not_up=after.not_up(),
        cannot_write=after.cannot_write(),
    )
