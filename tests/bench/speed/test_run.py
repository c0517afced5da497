"""When the figures of a run count, and what they are."""

import pytest

from bench.speed.cpu import Cost
from bench.speed.datagrams import Datagrams
from bench.speed.run import Plan, Run, expected_datagrams
from bench.speed.scenario import CALL, MESSAGE
from bench.speed.subjects import Kind


def make_run(sent: int = 13_000, dropped: int = 0, a_call: float = 13.0, failed: float = 0.0) -> Run:
    cost = {1: Cost(0.125, 10), 2: Cost(0.25, 10)}
    return Run(Plan(500), 2.0, cost, Datagrams(sent, dropped), a_call, failed, 13)


def test_cpu_of_all_processes_by_the_calls_of_the_window() -> None:
    run = make_run()
    assert run.calls == 1000
    assert run.cpu_ms == pytest.approx(0.375)


@pytest.mark.parametrize(
    ("run", "flaw"),
    [
        (make_run(), ""),
        (make_run(failed=0.001), ""),
        (make_run(failed=0.37), "fails: 37 %"),
        (make_run(failed=0.37, dropped=5), "fails: 37 %, 5 datagrams dropped"),
        (make_run(sent=12_500), "only 481/s"),
        (make_run(sent=14_000), "datagrams of 538/s"),
        (make_run(sent=13_200, a_call=13.2), "13.20 datagrams instead of 13"),
    ],
)
def test_flaw(run: Run, flaw: str) -> None:
    assert run.flaw == flaw


def test_a_proxy_without_transactions_sends_no_100() -> None:
    assert expected_datagrams(Kind.KAMAILIO, CALL) == 13
    assert expected_datagrams(Kind.ASSIGNMENT, CALL) == 12
    assert expected_datagrams(Kind.ASSIGNMENT, MESSAGE) == 4
