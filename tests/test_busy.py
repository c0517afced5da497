"""Long work that says that it goes on."""

from unittest.mock import Mock

import pytest

from switchboard.busy import EVERY_S, Busy


def test_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    busy = Busy()
    busy()
    busy.tell = tell = Mock()
    for now in (100.0, 100.0, 100.0 + EVERY_S, 100.0 + 1.5 * EVERY_S):  # noqa: B007
        busy()
    assert tell.call_count == 2
    busy.tell = None
    now += 100.0
    busy()
    assert tell.call_count == 2
