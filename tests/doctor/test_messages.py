"""What `doctor` says of texts that wait."""

from pathlib import Path

import pytest

from switchboard.doctor.facts import Level
from switchboard.doctor.messages import check_messages
from switchboard.settings.model import Settings


@pytest.mark.parametrize(
    ("counted", "level", "found"),
    [
        ({}, Level.OK, "none waits for anybody"),
        ({"messages_waiting": 3.0, "messages_users": 2.0}, Level.OK, "3 wait for 2 users"),
        (
            {"messages_without_room": 7.0},
            Level.WARNING,
            "none waits for anybody; 7 were refused, as too many waited",
        ),
    ],
)
def test_what_is_found(tmp_path: Path, counted: dict[str, float], level: Level, found: str) -> None:
    (finding,) = check_messages(Settings(data_dir=tmp_path, keep_messages_days=7), counted)
    assert (finding.level, finding.found, bool(finding.remedy)) == (level, found, level != Level.OK)


def test_nothing_is_said_where_none_are_kept(tmp_path: Path) -> None:
    assert list(check_messages(Settings(data_dir=tmp_path), {})) == []
    assert list(check_messages(Settings(data_dir=tmp_path, keep_messages_days=7), None)) == []
