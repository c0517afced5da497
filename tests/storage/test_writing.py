import errno
import sqlite3
from pathlib import Path

import pytest

from switchboard.storage.writing import Writing, error_number, words_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def writing(clock: Clock) -> Writing:
    return Writing("data/router-0", "calls go on from memory", clock)


def test_while_all_is_well_nothing_is_said(writing: Writing) -> None:
    writing.worked()
    assert (writing.error, writing.failures, writing.note(), writing.news()) == (0, 0, "", "")


def test_a_full_disk_is_said_once_and_noted_as_long_as_it_lasts(writing: Writing, clock: Clock) -> None:
    why = "cannot write: No space left on device (data/router-0); calls go on from memory"
    for now in range(1, 4):
        clock.now = now
        writing.failed(errno.ENOSPC)
        assert writing.news() == (why if now == 1 else "")
    assert (writing.note(), writing.failures) == (f"up, but {why}", 3)
    clock.now = 31.0
    writing.worked()
    assert writing.news() == "can write data/router-0 again, after 30 s: all of it is written"
    assert (writing.note(), writing.news(), writing.failures) == ("", "", 3)


def test_another_reason_is_news(writing: Writing) -> None:
    writing.failed(errno.ENOSPC)
    writing.news()
    writing.failed(errno.EROFS)
    assert "Read-only file system" in writing.news()


def test_what_was_over_before_anybody_looked_is_no_news(writing: Writing) -> None:
    writing.failed(errno.ENOSPC)
    writing.worked()
    assert writing.news() == ""


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_numbers_of_the_system(number: int) -> None:
    assert error_number(OSError(number, "x")) == number
    assert error_number(ValueError("x")) == 0


def test_numbers_of_sqlite(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "a.db", timeout=0.0, isolation_level=None)
    database.execute("CREATE TABLE a (b BLOB)")
    database.execute("PRAGMA max_page_count = 2")
    with pytest.raises(sqlite3.Error) as full:
        database.execute("INSERT INTO a VALUES (zeroblob(100000))")
    assert error_number(full.value) == errno.ENOSPC
    database.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.Error) as locked:
        sqlite3.connect(tmp_path / "a.db", timeout=0.0).execute("INSERT INTO a VALUES (1)")
    assert words_of(error_number(locked.value)) == "locked by another program"
    with pytest.raises(sqlite3.Error) as wrong:
        database.execute("INSERT INTO c VALUES (1)")
    assert error_number(wrong.value) == 0
    database.close()


def test_no_room_for_an_index_of_a_log_is_a_full_disk() -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    assert error_number(error) == errno.ENOSPC
