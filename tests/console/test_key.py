"""The key of the sessions."""

from pathlib import Path

import pytest

from switchboard.console.key import load_key
from switchboard.storage.unusable import UnusableFile


def test_made_once_and_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "console.key"
    key = load_key(path)
    assert load_key(path) == key
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_no_key(tmp_path: Path) -> None:
    path = tmp_path / "console.key"
    path.write_bytes(b"short")
    with pytest.raises(UnusableFile, match="remove it"):
        load_key(path)


def test_nowhere_to_write(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile, match="No such file"):
        load_key(tmp_path / "none" / "console.key")
