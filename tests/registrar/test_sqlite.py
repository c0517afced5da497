"""The store in SQLite: durable, readable while it is written, clear about what is wrong."""

import errno
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Timer

import pytest
from full_disk import file_limit
from mounts import read_only
from storage.damage import KINDS, overwrite, pages_of

from switchboard.codec import pack
from switchboard.registrar.binding import Binding
from switchboard.registrar.sqlite import (
    AFTER_A_LOSS,
    BYTES_AT_ONCE,
    SCHEMA_VERSION,
    SLACK_BYTES,
    SqliteStore,
    read_rows,
    read_snapshot,
)
from switchboard.registrar.store import StoreError
from switchboard.registrar.user_table import users_in
from switchboard.sip.errors import UsageError
from switchboard.storage.image import wal_of
from switchboard.storage.mending import reports
from switchboard.storage.unusable import NotWritten

LATE = 200.0
FULL = Binding(
    "sip:a@h",
    0.5,
    LATE,
    "[::1]:5",
    ("<sip:p;lr>", "<sip:q>"),
    ';x="\0ž"',
    "call",
    3,
    "UA",
    "h:5060",
    "z9hG4bKx",
)
PLAIN = Binding("tel:1", 1.0, 100.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "odd name%20?" / "location.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    path.parent.mkdir()
    store = SqliteStore(path)
    yield store
    store.close()


def put(store: SqliteStore, user: str, *bindings: Binding) -> int:
    with store.batch() as change:
        store.put(user, bindings)
    return change.number


def test_bindings_come_back_in_order(store: SqliteStore) -> None:
    put(store, "lukas", FULL, PLAIN)
    assert store.bindings("lukas") == [FULL, PLAIN]
    put(store, "lukas", PLAIN)
    assert store.bindings("lukas") == [PLAIN]
    assert store.bindings("nobody") == []


def test_what_was_put_is_seen_within_the_batch(store: SqliteStore) -> None:
    put(store, "lukas", FULL, PLAIN)
    with store.batch():
        store.put("lukas", [PLAIN])
        assert store.bindings("lukas") == [PLAIN]
        store.put("lukas", [])
        assert store.bindings("lukas") == []
    assert store.bindings("lukas") == []


def test_changes_are_counted_by_batch(store: SqliteStore) -> None:
    with store.batch() as change:
        store.put("lukas", [FULL])
        store.put("eva", [])
    assert (change.number, store.number) == (1, 1)
    assert change.pack() == pack([1, [["lukas", [FULL.to_wire()]], ["eva", []]]])
    with store.batch() as nothing:
        store.bindings("lukas")
    assert (nothing.number, nothing.records, store.number) == (1, [], 1)


@pytest.mark.parametrize("before", [[], [PLAIN], [PLAIN, FULL], [FULL, PLAIN, FULL]])
@pytest.mark.parametrize("after", [[], [FULL], [FULL, PLAIN], [PLAIN, PLAIN, FULL]])
@pytest.mark.parametrize("are_read", [True, False])
def test_what_was_put_last_is_there_however_many_there_were(
    store: SqliteStore, before: list[Binding], after: list[Binding], are_read: bool
) -> None:
    put(store, "lukas", *before)
    with store.batch():
        if are_read:
            assert store.bindings("lukas") == before
        store.put("lukas", [PLAIN])
        store.put("lukas", after)
    assert store.snapshot() == (2, {"lukas": after} if after else {})


def test_failed_batch_leaves_no_trace(store: SqliteStore) -> None:
    put(store, "lukas", FULL)
    with suppress(ZeroDivisionError), store.batch():
        store.put("lukas", [])
        raise ZeroDivisionError
    assert (store.number, store.bindings("lukas")) == (1, [FULL])
    assert put(store, "lukas") == 2


def test_put_needs_a_batch(store: SqliteStore) -> None:
    with pytest.raises(UsageError):
        store.put("lukas", [])


@pytest.mark.parametrize(("now_at", "users"), [(99.0, []), (100.0, ["eva"]), (LATE, ["eva", "lukas"])])
def test_expired_users(store: SqliteStore, now_at: float, users: list[str]) -> None:
    put(store, "lukas", FULL)
    put(store, "eva", PLAIN, FULL)
    found, more = store.expired_users(now_at, 100)
    assert (sorted(found), more) == (users, False)


def test_everything_is_there_after_reopening(store: SqliteStore, path: Path) -> None:
    put(store, "lukas", FULL)
    put(store, "eva")
    store.close()
    again = SqliteStore(path)
    assert again.number == 2
    assert again.snapshot() == (2, {"lukas": [FULL]})
    again.close()


def test_snapshot_is_readable_while_a_batch_is_open(store: SqliteStore, path: Path) -> None:
    put(store, "lukas", FULL)
    with store.batch():
        store.put("lukas", [])
        assert read_snapshot(path) == (1, {"lukas": [FULL]})
    assert read_snapshot(path) == (2, {})


def test_snapshot_without_a_registrar(store: SqliteStore, path: Path) -> None:
    put(store, "lukas", FULL)
    store.close()
    assert read_snapshot(path) == (1, {"lukas": [FULL]})


def test_snapshot_of_no_store_or_one_being_made(tmp_path: Path) -> None:
    path = tmp_path / "location.db"
    assert read_snapshot(path) == (0, {})
    path.touch()
    assert read_snapshot(path) == (0, {})


def test_another_schema_is_refused_in_words(store: SqliteStore, path: Path) -> None:
    store.close()
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    database.close()
    for use in (SqliteStore, read_snapshot):
        with pytest.raises(StoreError, match=r"location\.db has schema 3, this program knows 2"):
            use(path)


def test_another_file_is_refused_in_words_to_who_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "location.db"
    path.write_text("no database at all, " * 100)
    with pytest.raises(StoreError, match=r"location\.db cannot be used"):
        read_snapshot(path)


def test_a_damaged_file_is_set_aside_and_what_can_be_read_goes_on(store: SqliteStore, path: Path) -> None:
    for number in range(200):
        put(store, f"user{number}", FULL._replace(user_agent="x" * 150))
    before = store.snapshot()[1]
    series = store.series
    store.close()
    overwrite(path, pages_of(path) // 2, KINDS["rubbish"])
    again = SqliteStore(path)
    after = again.snapshot()
    assert 180 < len(after[1]) < 200
    assert all(before[user] == found for user, found in after[1].items())
    [report] = reports(path)
    assert f"missing: {200 - len(after[1])} changes" in report.saved
    assert after[0] >= AFTER_A_LOSS, "routers may have known later changes"
    assert again.series != series, "what was lost may tell of nonces that were used"
    assert put(again, "eva", FULL) == after[0] + 1
    again.close()


def test_what_is_damaged_and_cannot_be_mended_now_is_read_and_mended_later(
    store: SqliteStore, path: Path
) -> None:
    for number in range(200):
        put(store, f"user{number}", FULL._replace(user_agent="x" * 150))
    before = store.snapshot()[1]
    store.close()
    overwrite(path, pages_of(path) // 2, KINDS["rubbish"])
    with file_limit(path.stat().st_size // 2):
        again = SqliteStore(path)
        bound = again.snapshot()[1]
        assert 180 < len(bound) < 200
        assert all(before[user] == found for user, found in bound.items())
        with pytest.raises(NotWritten), again.batch():
            again.put("eva", [PLAIN])
        assert (again.try_again(), again.writing.error > 0, reports(path)) == (False, True, [])
    assert again.try_again()
    assert again.snapshot()[1] == bound
    assert len(reports(path)) == 1
    put(again, "eva", PLAIN)
    again.close()
    assert read_snapshot(path)[1] == bound | {"eva": [PLAIN]}


def test_a_row_that_is_no_list_of_records_is_damage(store: SqliteStore, path: Path) -> None:
    put(store, "lukas", FULL)
    put(store, "eva", PLAIN)
    store.close()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE changes SET records = x'c1' WHERE number = 1")
    again = SqliteStore(path)
    assert again.snapshot()[1] == {"eva": [PLAIN]}
    assert len(reports(path)) == 1
    again.close()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as stranger:
        stranger.execute("BEGIN EXCLUSIVE")
        yield
        stranger.execute("ROLLBACK")


def put_two(store: SqliteStore, one: str, other: str) -> None:
    with store.batch():
        store.put(one, [])
        store.put(other, [PLAIN])


def test_nothing_is_in_force_that_could_not_be_written(store: SqliteStore, path: Path) -> None:
    put(store, "lukas", FULL)
    with locked(path):
        with pytest.raises(NotWritten):
            put_two(store, "lukas", "eva")
        assert store.snapshot() == (1, {"lukas": [FULL]})
        with pytest.raises(NotWritten), store.batch():
            store.put("eva", [PLAIN])
        with store.batch() as change:
            store.keep_nonces({b"used": b"once"})
        assert (change.records, store.try_again(), store.writing.error) == ([], False, errno.EBUSY)
    assert store.try_again()
    assert store.nonces() == [(b"used", b"once")]
    assert put(store, "eva", PLAIN) == 2
    assert read_snapshot(path) == (2, {"lukas": [FULL], "eva": [PLAIN]})


def test_a_full_file_is_written_again_when_there_is_room(store: SqliteStore, path: Path) -> None:
    put(store, "lukas", FULL)
    with file_limit(wal_of(path).stat().st_size), pytest.raises(NotWritten):
        put(store, "eva", FULL)
    with file_limit(wal_of(path).stat().st_size + 4096):
        assert not store.try_again()
    assert store.try_again()
    assert put(store, "eva", FULL) == 2
    assert read_snapshot(path)[1] == {"lukas": [FULL], "eva": [FULL]}


def test_it_starts_where_nothing_can_be_written(store: SqliteStore, path: Path) -> None:
    put(store, "lukas", FULL)
    store.close()
    with read_only(path.parent):
        again = SqliteStore(path)
        assert again.snapshot() == (1, {"lukas": [FULL]})
        assert read_snapshot(path) == (1, {"lukas": [FULL]})
        with pytest.raises(NotWritten), again.batch():
            again.put("eva", [PLAIN])
        assert (again.try_again(), again.writing.error) == (False, errno.EROFS)
    assert again.try_again()
    assert put(again, "eva", PLAIN) == 2
    again.close()


def test_missing_directory_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file or directory"):
        SqliteStore(tmp_path / "nowhere" / "location.db")


CHILD = """
import sys
from pathlib import Path
from registrar.registers import Desk, register
from switchboard.registrar.sqlite import SqliteStore
desk = Desk(store=SqliteStore(Path(sys.argv[1])))
response = desk.send(register("<sip:lukas@10.0.0.9>", cseq=1, branch="z9hG4bKone"))
print(response.status, flush=True)
sys.stdin.read()
"""


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "location.db"
    root = Path(__file__).parents[2]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": f"{root}:{root / 'tests'}"},
    )
    deadline = Timer(20, child.kill)
    deadline.start()
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"200\n"
        child.send_signal(signal.SIGKILL)
    deadline.cancel()
    assert child.returncode == -signal.SIGKILL
    store = SqliteStore(path)
    (binding,) = store.bindings("lukas")
    assert (binding.contact, binding.branch, store.number) == ("sip:lukas@10.0.0.9", "z9hG4bKone", 1)
    store.close()


def test_count_of_users_and_bindings(store: SqliteStore) -> None:
    put(store, "lukas", FULL, PLAIN)
    put(store, "lenka", PLAIN)
    put(store, "gone")
    assert store.count() == (2, 3)


def test_another_store_in_its_place_is_another_series(path: Path, store: SqliteStore) -> None:
    store.close()
    again = SqliteStore(path)
    assert again.series == store.series
    again.close()
    path.unlink()
    other = SqliteStore(path)
    assert other.series != store.series
    other.close()


def test_the_file_is_bounded_and_nothing_is_lost(store: SqliteStore, path: Path) -> None:
    put(store, "quiet", FULL)
    put(store, "gone")
    kept = PLAIN._replace(user_agent="x" * 1000)
    for number in range(3000):
        put(store, f"user{number % 7}", kept._replace(cseq=number))
    expected = store.snapshot()
    assert expected[0] == 3002
    assert expected[1]["quiet"] == [FULL]
    assert expected[1]["user3"] == [kept._replace(cseq=2999 - (2999 - 3) % 7)]
    assert read_snapshot(path) == expected
    store.close()
    rows = list(read_rows(path))
    assert sum(len(records) for _, records in rows) < SLACK_BYTES + 20_000
    again = SqliteStore(path)
    assert again.snapshot() == expected
    assert put(again, "quiet", PLAIN) == 3003
    again.close()


def test_users_without_bindings_leave_nothing_in_the_file(store: SqliteStore, path: Path) -> None:
    for number in range(2000):
        put(store, f"user{number}", FULL)
    put(store, "quiet", FULL)
    for number in range(2000):
        put(store, f"user{number}")
    for number in range(5000):
        put(store, "busy", FULL._replace(cseq=number))
    assert store.count() == (2, 2)
    assert len({user for _, records in read_rows(path) for user in users_in(records)}) == 2
    assert {*read_snapshot(path)[1]} == {"quiet", "busy"}


def test_one_commit_lets_few_octets_of_old_rows_go(store: SqliteStore) -> None:
    long = FULL._replace(user_agent="x" * 1000)
    for first in range(0, 3000, 100):
        with store.batch():
            for number in range(first, first + 100):
                store.put(f"user{number}", [long])
    gone = []
    for number in range(3000):
        before = store._octets
        put(store, f"user{number}")
        gone.append(before - store._octets)
    assert store._octets < SLACK_BYTES
    assert max(gone) < BYTES_AT_ONCE + 120_000


def test_pages_are_those_of_the_names_when_the_first_was_asked_for(store: SqliteStore) -> None:
    for user in "abcd":
        put(store, user, FULL)
    first = store.page("", 2)
    put(store, "aa", FULL)
    put(store, "c")
    second = store.page("b", 2)
    assert ([*first.users], first.more) == (["a", "b"], True)
    assert (second.users, second.more) == ({"c": [], "d": [FULL]}, False)
    assert [*store.page("", 9).users] == ["a", "aa", "b", "d"]


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_file_that_was_taken_away_is_made_anew_of_what_is_in_memory(
    tmp_path: Path, is_replaced: bool
) -> None:
    path = tmp_path / "location.db"
    store = SqliteStore(path)
    with store.batch():
        store.put("lenka", [PLAIN])
    for each in (path, wal_of(path), path.with_name(f"{path.name}-shm")):
        each.unlink(missing_ok=True)
    if is_replaced:
        path.touch()
    with pytest.raises(NotWritten, match="is gone"), store.batch():
        store.put("lukas", [PLAIN])
    assert store.writing.error == errno.ENOENT
    assert store.try_again()
    with store.batch():
        store.put("boris", [PLAIN])
    number = store.number
    store.close()
    again = SqliteStore(path)
    assert (again.number, sorted(again.table.users())) == (number, ["boris", "lenka"])
    again.close()
