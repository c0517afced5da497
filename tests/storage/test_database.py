"""SQLite files as their writers and readers open them."""

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from switchboard.storage.database import Schema, connect, connect_to_read, schema_version, transaction
from switchboard.storage.mending import Plan
from switchboard.storage.unusable import UnusableFile

PLAN = Plan("CREATE TABLE note (text TEXT);", {}, "write them again")
NOTES = Schema("The notes", 2, "ask their writer.", UnusableFile, PLAN)


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


def test_a_file_is_made_once_and_read_by_others(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    assert NOTES.open_to_read(path) is None
    for _ in range(2):
        with closing(NOTES.open(path)) as writer, transaction(writer):
            writer.execute("INSERT INTO note VALUES ('one')")
    reader = NOTES.open_to_read(path)
    assert reader is not None
    with closing(reader):
        assert reader.execute("SELECT COUNT(*) FROM note").fetchone() == (2,)


def test_an_empty_file_is_none_yet_to_a_reader(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.touch()
    assert NOTES.open_to_read(path) is None


@pytest.mark.parametrize("open_it", [NOTES.open, NOTES.open_to_read])
def test_a_file_of_another_version_is_refused(tmp_path: Path, open_it: Callable[[Path], object]) -> None:
    path = tmp_path / "notes.db"
    with closing(connect(path)) as writer:
        writer.execute("PRAGMA user_version = 3")
    with pytest.raises(
        UnusableFile, match=r"The notes .*notes\.db has schema 3, this program knows 2: ask their writer\."
    ):
        open_it(path)


@pytest.mark.parametrize("open_it", [NOTES.open, NOTES.open_to_read])
def test_what_is_no_database_is_refused(tmp_path: Path, open_it: Callable[[Path], object]) -> None:
    path = tmp_path / "notes.db"
    path.write_bytes(b"no database, but long enough to be taken for one" * 100)
    with pytest.raises(UnusableFile, match=r"The notes .*notes\.db cannot be used"):
        open_it(path)


def test_a_transaction_that_raises_changes_nothing(tmp_path: Path) -> None:
    with closing(NOTES.open(tmp_path / "notes.db")) as writer:
        with suppress(RuntimeError), transaction(writer):
            writer.execute("INSERT INTO note VALUES ('one')")
            raise RuntimeError
        assert writer.execute("SELECT COUNT(*) FROM note").fetchone() == (0,)
