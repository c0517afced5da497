"""Surveys over real servers."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.test_status import worker

from switchboard.bus.context import BusContext
from switchboard.settings.model import Settings
from switchboard.survey.ask import take_survey

pytest_plugins = ["cli.conftest"]


def test_survey(
    data_dir: Path, answering: Callable[[str, str, Any], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("switchboard.survey.ask.ANSWER_WITHIN_S", 0.3)
    answering("journal.control", "status", [{**worker("journal", 0), "pid": os.getpid()}])
    answering("journal.0.ask", "stats", {"open_calls": 3})
    with BusContext() as context:
        found = take_survey(Settings(data_dir=data_dir, routers=1), context)
    journal, *others = sorted(found.workers, key=lambda each: each.name != "journal")
    assert (str(journal), journal.counters, journal.state) == ("journal.0", {"open_calls": 3}, "up")
    assert journal.usage is not None
    assert journal.usage.cpu_s > 0
    assert journal.usage.memory_bytes > 1_000_000
    assert [each.state for each in others] == ["down"] * 8
    assert all(each.usage is None for each in others)
