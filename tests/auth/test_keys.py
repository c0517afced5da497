"""The secret key of a switchboard."""

import stat
from pathlib import Path

import pytest

from switchboard.auth.keys import KeyFileError, load_or_make_key, make_key


def test_it_is_made_once_and_for_nobody_elses_eyes(tmp_path: Path) -> None:
    path = tmp_path / "auth.key"
    key = load_or_make_key(path)
    assert len(key) == 32
    assert load_or_make_key(path) == key
    assert not make_key(path)
    assert path.read_bytes() == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_one_is_told(tmp_path: Path) -> None:
    load_or_make_key(tmp_path / "auth.key")
    (tmp_path / "auth.key").write_bytes(b"short")
    with pytest.raises(KeyFileError, match="holds 5 bytes instead of 32"):
        load_or_make_key(tmp_path / "auth.key")


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be used"):
        load_or_make_key(tmp_path / "missing" / "auth.key")


def test_one_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "auth.key"
    key = load_or_make_key(path)
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match=rf"mode 0644\): chmod 600 {path}"):
        load_or_make_key(path)
    path.chmod(0o600)
    assert load_or_make_key(path) == key
