from dataclasses import replace

import pytest

from switchboard.auth.failures import Failing
from switchboard.doctor.facts import Level, RunningFacts
from switchboard.doctor.machine import check_running

GOOD = RunningFacts(2, [], "127.0.0.1", 5060, 0.0021)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (GOOD, [("running", Level.OK), ("answer", Level.OK)]),
        (replace(GOOD, not_up=["a", "b"], answer_s=None), [("running", Level.WARNING)]),
        (
            replace(GOOD, doubtful=["lenka registers from 10.0.0.3:5060, and its contact names 10.9.9.9"]),
            [("running", Level.OK), ("answer", Level.OK), ("contact", Level.WARNING)],
        ),
        (replace(GOOD, not_up=["a"]), [("running", Level.PROBLEM), ("answer", Level.OK)]),
        (replace(GOOD, answer_s=None), [("running", Level.OK), ("answer", Level.PROBLEM)]),
    ],
)
def test_running(facts: RunningFacts, expected: list[tuple[str, Level]]) -> None:
    assert [(each.check, each.level) for each in check_running(facts)] == expected


def test_the_time_of_an_answer() -> None:
    assert "answered in 2.1 ms" in list(check_running(GOOD))[1].found


def test_phones_that_keep_failing() -> None:
    failing = Failing("lukas", 5, "10.0.0.9", "Phone/1", "MD5", 1.0)
    *_, finding = check_running(replace(GOOD, failing=[(failing, ("SHA-256", "MD5"))]))
    assert (finding.check, finding.level) == ("password", Level.WARNING)
    assert finding.found.startswith("lukas at 10.0.0.9 (Phone/1) was asked 5 times in a row")
    assert "auth_algorithms" in finding.remedy


def test_who_is_not_up_and_why() -> None:
    finding, *_ = check_running(replace(GOOD, not_up=["journal.0"], why_not=["journal.0: it is odd"]))
    assert (finding.level, finding.found) == (Level.PROBLEM, "not up: journal.0; journal.0: it is odd")


def test_who_cannot_write() -> None:
    said = "router.0 is up, but cannot write: No space left on device"
    *_, finding = check_running(replace(GOOD, cannot_write=[said]))
    assert (finding.check, finding.level, finding.found) == ("writing", Level.PROBLEM, said)
    assert "make room" in finding.remedy
