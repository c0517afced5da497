"""What happened between two surveys: rates, and what waits or was lost."""

from collections.abc import Mapping
from dataclasses import dataclass

from switchboard.survey.reading import Reading, Survey

RESPONSE_CLASSES = tuple(f"{digit}xx" for digit in range(1, 7))
_LOST = ("dropped", "failed", "bad_items", "bad_frames", "bad_casts")


@dataclass(frozen=True, slots=True)
class WorkerRates:
    """One worker between two surveys; None where it is not the same process, or gave no answer."""

    cpu_percent: float | None
    messages_s: float | None
    """SIP messages and other items that it took, a second."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The whole switchboard, a second: datagrams in and out, calls begun, responses by class (`2xx`)."""

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


def rates(before: Survey, after: Survey) -> Rates:
    """What went through all of it. A worker that has begun anew counts from 0."""

    def a_second(name: str, *counters: str) -> float:
        return sum(_growth(before, after, name, counter) for counter in counters) / (after.now - before.now)

    return Rates(
        received_s=a_second("edge-rx", "datagrams.message"),
        sent_s=a_second("edge-tx", "sent"),
        calls_s=a_second("journal", "records", "open_calls"),
        registers_s=a_second("registrar", "replied"),
        responses_s={each: a_second("translator", f"responses.{each}") for each in RESPONSE_CLASSES},
    )


def waiting(reading: Reading) -> int:
    """How many items wait in the queues that a worker keeps."""
    return round(sum(n for name, n in reading.counters.items() if name.endswith("waiting")))


def lost(reading: Reading) -> int:
    """How many items a worker has dropped or could not use, whatever the cause, since its start."""
    return round(sum(n for name, n in reading.counters.items() if name.endswith(_LOST)))


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
