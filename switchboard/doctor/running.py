"""Checks of the switchboard that runs, if one does."""

from collections.abc import Iterator

from switchboard.auth.failing import advise, describe
from switchboard.doctor.facts import RunningFacts
from switchboard.doctor.finding import Finding, ok, problem, warning


def check_running(facts: RunningFacts) -> Iterator[Finding]:
    """Its workers are up, and it answers phones."""
    if not facts.runs:
        yield warning("running", "no switchboard runs with this data directory", "make lab, or honcho start")
        return
    if facts.not_up:
        yield problem(
            "running",
            f"not up: {', '.join(facts.not_up)}",
            "read its log; start what is missing (honcho start, systemctl start switchboard.target)",
        )
    else:
        yield ok("running", f"all {facts.workers} workers are up")
    yield _check_answer(facts)
    for failing, offered in facts.failing:
        yield warning("password", describe(failing), advise(failing, offered))


def _check_answer(facts: RunningFacts) -> Finding:
    where = f"{facts.address}, UDP port {facts.port}"
    if facts.answer_s is None:
        return problem(
            "answer",
            f"an OPTIONS to {where} gets no answer",
            "see switchboard status, and the firewall of this machine",
        )
    return ok("answer", f"an OPTIONS to {where} is answered in {facts.answer_s * 1000:.1f} ms")
