"""A plugin for `.ci/run`: names the failed tests that may be repeated alone.

Those are at most `MOST`, all of them start real processes, and the run was complete. Otherwise it names none. The file
is that of the environment's `REPEATABLE`, without which nobody uses this; it has a test's id a line.
"""

import os
from pathlib import Path

import pytest

MOST = 3
MARKS = frozenset(("system", "phones", "load"))
failed: dict[str, bool] = {}
"""The tests that failed, and whether each may be repeated."""


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        failed[report.nodeid] = not MARKS.isdisjoint(report.keywords)


def pytest_sessionfinish(exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.TESTS_FAILED and len(failed) <= MOST and all(failed.values()):
        Path(os.environ["REPEATABLE"]).write_text("".join(f"{test}\n" for test in failed))
