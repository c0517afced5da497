"""Display names on disk."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from switchboard.console.names import DisplayNames
from switchboard.storage.unusable import NotWritten


def test_a_name_outlives_the_console(tmp_path: Path) -> None:
    path = tmp_path / "names"
    DisplayNames(path).put("lenka", "Lenka Kováčová")
    names = DisplayNames(path)
    assert (names.get("lenka"), names.get("lukas")) == ("Lenka Kováčová", "")
    names.put("lenka", "")
    assert DisplayNames(path).get("lenka") == ""


def test_what_cannot_be_written_is_not_in_force(tmp_path: Path) -> None:
    names = DisplayNames(tmp_path / "missing" / "names")
    with pytest.raises(NotWritten, match="cannot be written"):
        names.put("lenka", "Lenka")
    assert names.get("lenka") == ""


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"lenka": "L"', "\x00"])
def test_a_damaged_file_is_no_obstacle(tmp_path: Path, text: str) -> None:
    path = tmp_path / "names"
    path.write_text(text)
    with capture_logs() as logs:
        names = DisplayNames(path)
    assert [log["event"] for log in logs] == ["display names cannot be read"]
    names.put("lenka", "Lenka")
    assert DisplayNames(path).get("lenka") == "Lenka"
