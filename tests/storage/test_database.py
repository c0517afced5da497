"""SQLite files as their writers and readers open them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from switchboard.storage.database import connect, connect_to_read, schema_version


@pytest.mark.parametrize("name", ["plain.db", "100% #1?.db"])
def test_a_reader_sees_what_was_written_and_changes_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with closing(connect(path)) as writer:
        assert schema_version(writer) == 0
        writer.execute("PRAGMA user_version = 7")
    with closing(connect_to_read(path)) as reader:
        assert schema_version(reader) == 7
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("PRAGMA user_version = 8")


def test_a_reader_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        connect_to_read(tmp_path / "none.db").execute("SELECT 1")
    assert not list(tmp_path.iterdir())
