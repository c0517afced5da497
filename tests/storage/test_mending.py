"""Damaged SQLite files: what was whole of them goes on, the rest is told of."""

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from storage.damage import KINDS, PAGE, flip, overwrite, pages_of

from switchboard.storage.database import Schema
from switchboard.storage.image import read_image, wal_of
from switchboard.storage.mending import KEPT, Plan, reports
from switchboard.storage.rescue import Rescue, Row
from switchboard.storage.unusable import UnusableFile

_TABLES = "CREATE TABLE note (number INTEGER PRIMARY KEY, text TEXT, octets BLOB, weight REAL, size INT);"
NOTES = 300
_INSERT = "INSERT OR REPLACE INTO note VALUES (?, ?, ?, ?, ?)"


def note_in(row: Row) -> Sequence[Any] | None:
    match row:
        case int(number), [None, str(text), bytes(octets), float() | int() as weight, int(size)]:
            return number, text, octets, weight, size
    return None


SCHEMA = Schema(
    "The notes",
    1,
    "ask their writer.",
    UnusableFile,
    Plan(
        _TABLES,
        {_INSERT: note_in},
        "write them again",
        missing=f"SELECT ({NOTES} - count(*)) || ' notes' FROM note HAVING count(*) < {NOTES}",
    ),
)
WRITTEN = {
    number: (number, f"ž{number}", bytes([number % 251]) * (number * 37 % 1500), number / 2, -(number**3))
    for number in range(1, NOTES + 1)
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file, with half of its rows in its log."""
    path = tmp_path / "notes.db"
    with closing(SCHEMA.open(path)) as database:
        database.execute("PRAGMA wal_autocheckpoint = 0")
        for number, note in WRITTEN.items():
            database.execute(_INSERT, note)
            if number == NOTES // 2:
                database.execute("PRAGMA wal_checkpoint(RESTART)")
        copy = tmp_path / "copy"
        copy.mkdir()
        for each in (path, wal_of(path)):
            shutil.copy(each, copy)
    return copy / path.name


def read(path: Path) -> dict[int, Any]:
    with closing(SCHEMA.open(path)) as database:
        return {row[0]: row for row in database.execute("SELECT * FROM note")}


def empty_log(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_rows_that_are_longer_than_a_page(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    long = {number: (number, "x" * number * 800, bytes(number * 3000), 1, 0) for number in range(1, 9)}
    with closing(SCHEMA.open(path)) as database:
        database.executemany(_INSERT, long.values())
    assert {row[0]: tuple(row) for each in Rescue(read_image(path)).rows() if (row := note_in(each))} == long


def test_what_lies_on_the_disk_is_what_sqlite_reads(path: Path) -> None:
    image = read_image(path)
    rescue = Rescue(image)
    assert {row[0]: tuple(row) for each in rescue.rows() if (row := note_in(each))} == WRITTEN
    assert (rescue.unreadable, image.skipped) == (0, 0)


def test_a_file_that_is_whole_stays_as_it_is(path: Path) -> None:
    before = path.read_bytes(), wal_of(path).read_bytes()
    assert SCHEMA.examine(path) is None
    assert (path.read_bytes(), wal_of(path).read_bytes()) == before
    assert read(path) == WRITTEN


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_page_is_damaged_the_rows_of_the_others_go_on(path: Path, kind: str) -> None:
    empty_log(path)
    for page in range(0, pages_of(path), 7):
        copy = path.with_name(f"{page}.db")
        shutil.copy(path, copy)
        overwrite(copy, page, KINDS[kind])
        report = SCHEMA.examine(copy)
        found = read(copy)
        assert report is not None
        assert len(found) > 0.95 * NOTES
        assert all(WRITTEN[number] == row for number, row in found.items())
        assert (f"missing: {NOTES - len(found)} notes" in report.saved) == (len(found) < NOTES)
        assert copy.with_name(report.kept_as).read_bytes()[page * PAGE :].startswith(KINDS[kind])


@pytest.mark.parametrize("place", [4, 20, 33, 40, 200, 0.3, 0.6, 0.9])
def test_a_flipped_bit_in_the_log_spoils_one_page_of_it_at_most(path: Path, place: float) -> None:
    log = wal_of(path)
    at = int(place if place >= 1 else place * log.stat().st_size)
    flip(log, at)
    report = SCHEMA.examine(path)
    found = read(path)
    assert len(found) >= NOTES - 4
    assert all(WRITTEN[number] == row for number, row in found.items())
    assert report is not None
    assert report.found == "its write-ahead log"
    assert wal_of(path.with_name(report.kept_as)).exists()


def test_what_a_damaged_page_had_got_from_another_is_found_there(path: Path) -> None:
    """Whichever page of the log it is: a tree that grows moves rows to new pages."""
    log = wal_of(path)
    whole, frames = log.read_bytes(), (log.stat().st_size - 32) // (PAGE + 24)
    lost = []
    for frame in range(0, frames - 1, 11):
        copy = path.with_name(f"{frame}.db")
        shutil.copy(path, copy)
        wal_of(copy).write_bytes(whole)
        flip(wal_of(copy), 32 + frame * (PAGE + 24) + 2000)
        SCHEMA.examine(copy)
        found = read(copy)
        assert all(WRITTEN[number] == row for number, row in found.items())
        lost.append(NOTES - len(found))
    assert max(lost) <= 1


def test_a_commit_that_was_torn_at_the_end_is_no_damage(path: Path) -> None:
    log = wal_of(path)
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size - 3 * PAGE)
    assert SCHEMA.examine(path) is None
    assert read_image(path).skipped == 0


def test_what_was_emptied_comes_back_from_its_log(path: Path) -> None:
    path.write_bytes(b"")
    report = SCHEMA.examine(path)
    assert report is not None
    assert report.found == "it was emptied"
    assert len(read(path)) >= NOTES // 2 - 1


def test_what_is_no_database_is_set_aside(path: Path) -> None:
    path.write_text("nothing of the kind")
    wal_of(path).unlink()
    report = SCHEMA.examine(path)
    assert report is not None
    assert path.with_name(report.kept_as).read_text() == "nothing of the kind"
    assert read(path) == {}


def test_another_version_is_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 7")
    assert SCHEMA.examine(path) is None
    with pytest.raises(UnusableFile, match="has schema 7"):
        SCHEMA.open(path)


def test_reports_last_until_what_was_set_aside_goes_and_are_bounded(path: Path) -> None:
    for _ in range(KEPT + 2):
        path.write_text("nothing of the kind")
        SCHEMA.examine(path)
    assert len(reports(path)) == len(reports(path.parent)) == KEPT
    assert str(reports(path)[-1]).startswith(f"{path} was found damaged at ")
    for each in path.parent.glob("*.damaged-*"):
        each.unlink()
    assert reports(path) == []


def test_the_mended_file_is_no_more_open_to_others_than_it_was(path: Path) -> None:
    empty_log(path)
    path.chmod(0o600)
    overwrite(path, 1, KINDS["zeros"])
    assert SCHEMA.examine(path) is not None
    assert path.stat().st_mode & 0o777 == 0o600
