"""Surveys for tests."""

from switchboard.survey.reading import Reading, Survey, Usage


def reading(worker: str, pid: int = 1, state: str = "up", **counters: float) -> Reading:
    """One worker, NAME.INSTANCE; the counters' dots are written as double underscores."""
    name, _, instance = worker.partition(".")
    named = {counter.replace("__", "."): value for counter, value in counters.items()}
    return Reading(name, int(instance), pid, "pbx", state, 65.0, 0, named, Usage(2.0, 50_000_000))


def survey(now: float, *workers: Reading) -> Survey:
    """All workers at one moment."""
    return Survey(now, workers)
