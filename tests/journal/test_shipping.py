import errno
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from journal.ledgers import MemoryDatabase, Trouble
from journal.scripts import finished

from switchboard.journal.shipper import Shipper
from switchboard.journal.shipping import ERROR, WAITING, Log, Shipping
from switchboard.journal.spool import Spool

LIMIT_S = 20.0


def until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cdr.jsonl"


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase()


@pytest.fixture
def shipping(path: Path, database: MemoryDatabase) -> Iterator[Shipping]:
    def make(warn: Log) -> Shipper:
        return Shipper(Spool(path), "here", database.connect, warn)

    with closing(Shipping(make, "postgresql://db")) as shipping:
        yield shipping


def write(path: Path, shipping: Shipping, *lines: bytes) -> None:
    with path.open("ab") as file:
        file.writelines(lines)
    shipping.told(len(lines))


def test_what_is_told_is_shipped(path: Path, database: MemoryDatabase, shipping: Shipping) -> None:
    write(path, shipping, finished("one").to_line())
    shipping.start()
    until(lambda: len(database.rows) == 1)
    write(path, shipping, finished("two").to_line())
    until(lambda: len(database.rows) == 2)
    until(lambda: shipping.stats()[WAITING] == 0)
    assert shipping.notes() == []


def test_how_many_wait_since_when_and_why(path: Path, database: MemoryDatabase, shipping: Shipping) -> None:
    database.is_away = True
    write(path, shipping, finished("one").to_line())
    shipping.start()
    until(lambda: shipping.stats()[ERROR])
    [note] = shipping.notes()
    assert note.startswith(
        "up, but 1 record waits in cdr.jsonl for postgresql://db: connection refused (for "
    )
    assert shipping.stats()[ERROR] == errno.ECONNREFUSED
    write(path, shipping, finished("two").to_line())
    assert "2 records wait" in shipping.notes()[0]
    database.is_away = False
    until(lambda: len(database.rows) == 2)
    until(lambda: not shipping.stats()[ERROR])
    assert shipping.notes() == []


def test_a_database_that_goes_is_missed_while_there_are_no_calls(
    database: MemoryDatabase, shipping: Shipping
) -> None:
    shipping.start()
    database.is_away = True
    until(shipping.notes)


def test_a_spool_that_cannot_be_read_is_told_in_words(path: Path, shipping: Shipping) -> None:
    path.mkdir()
    shipping.start()
    until(shipping.notes)
    assert "cdr.jsonl cannot be read: [Errno 21] Is a directory" in shipping.notes()[0]


def test_what_was_left_out_is_told(path: Path, shipping: Shipping) -> None:
    write(path, shipping, finished("one").to_line(), b"torn\n")
    shipping.start()
    until(shipping.notes)
    assert shipping.notes() == [
        "lines or files of cdr.jsonl that postgresql://db lacks: 1 (the log has each)"
    ]


def test_an_end_that_nobody_foresaw_is_told(
    path: Path, database: MemoryDatabase, shipping: Shipping, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[object] = []
    monkeypatch.setattr(threading, "excepthook", ended.append)
    database.troubles = [Trouble(ZeroDivisionError("odd"), is_committed=False)]
    write(path, shipping, finished("one").to_line())
    shipping.start()
    until(lambda: ended)
    assert "shipping has ended by ZeroDivisionError('odd'): restart the journal" in shipping.notes()[0]
    assert shipping.stats()[ERROR]


def test_one_that_never_began_is_closed(shipping: Shipping) -> None:
    shipping.close()
