"""A plugin for `.ci/run`: names the failed tests that may be repeated alone.

Those are at most `MOST` of a run of pytest. All of them start real processes, or are of a folder whose tests wait for
threads and sockets, so that a busy machine may be the reason. The file is that of the environment's `REPEATABLE`,
without which nobody uses this; each run appends its tests to it, an id a line, and the line `COMPLETE` if nothing else
has failed.
"""

import os
from pathlib import Path

import pytest

MOST = 3
MARKS = frozenset(("system", "phones", "load"))
WAITING = ("bus", "console", "postgres", "registrar", "supervisor", "transports", "workers")
COMPLETE = "complete"
failed: dict[str, bool] = {}
"""The tests that failed, and whether each may be repeated."""


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        is_real = not MARKS.isdisjoint(report.keywords)
        failed[report.nodeid] = is_real or _folder(report.nodeid) in WAITING


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if hasattr(session.config, "workerinput"):  # of pytest-xdist, whose controller has the reports of all
        return
    is_good = exitstatus == pytest.ExitCode.OK
    if is_good or (
        exitstatus == pytest.ExitCode.TESTS_FAILED and len(failed) <= MOST and all(failed.values())
    ):
        with Path(os.environ["REPEATABLE"]).open("a") as file:
            file.writelines(f"{line}\n" for line in (*failed, COMPLETE))


def _folder(test: str) -> str:
    """That of tests/ in which the test is."""
    parts = test.split("/")
    return parts[1] if parts[0] == "tests" and len(parts) > 2 else ""
