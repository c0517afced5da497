"""Files that come back from a backup."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from switchboard.storage.restoring import copy_database, prepare, take_restored, waiting


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A secret that is there already."""
    path = tmp_path / "auth.key"
    path.write_bytes(b"before")
    path.chmod(0o600)
    return path


def test_what_comes_back_is_its_owners_alone(key: Path, tmp_path: Path) -> None:
    """However open the copy is that somebody made of it."""
    copy = tmp_path / "copy"
    copy.write_bytes(b"restored")
    copy.chmod(0o644)
    prepare(copy, key)
    assert mode(waiting(key)) == 0o600
    kept = take_restored(key)
    assert (key.read_bytes(), mode(key)) == (b"restored", 0o600)
    assert kept
    assert (kept.read_bytes(), mode(kept)) == (b"before", 0o600)


def test_so_is_the_copy_of_a_database(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "users.db")) as source:
        source.execute("CREATE TABLE users (name)")
        copy_database(source, tmp_path / "copy.db")
    assert mode(tmp_path / "copy.db") == 0o600
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT name FROM sqlite_master").fetchall() == [("users",)]
