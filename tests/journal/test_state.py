import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from journal.scripts import T0, answered, bye, failed, invite, refreshed
from storage.damage import KINDS, overwrite, pages_of

from switchboard import codec
from switchboard.journal.call import Call
from switchboard.journal.changes import MAX_RECORDED, Batch, Changes
from switchboard.journal.deliveries import Router
from switchboard.journal.file import Mark
from switchboard.journal.record import Party
from switchboard.journal.state import SCHEMA_VERSION, SLACK, Row, Saved, StateError, StateStore
from switchboard.storage.mending import reports

MARK = Mark(5, 77)
ROUTER = Router(0, "first")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def store(path: Path) -> Iterator[StateStore]:
    with closing(StateStore(path)) as store:
        yield store


def changes(*entries: Call | int, ended: Sequence[tuple[str, str, float | None]] = ()) -> Changes:
    """Calls that are open, serials of those that are not, and ends."""
    calls = [entry if isinstance(entry, int) else entry.save() for entry in entries]
    return Changes(Batch(b"", 0), batch(calls), batch(ended))


def batch(entries: Sequence[object]) -> Batch:
    return Batch(b"".join(map(codec.pack, entries)), len(entries))


def commit(
    store: StateStore,
    what: Changes,
    numbers: dict[Router, int] | None = None,
    mark: Mark = MARK,
) -> Row:
    row = store.next_row(len(store.load().calls))
    store.commit(row, what, numbers or {}, mark)
    return row


def call(serial: int) -> Call:
    return replace(Call.begin(invite(call_id=str(serial))), serial=serial)


def rich_call() -> Call:
    call = replace(Call.begin(invite()), serial=7)
    call.fail(failed(401, at=1))
    call.answer(answered(2, "b"))
    call.answer(answered(2.125, "ž'\""))
    call.hang_up(bye(), "b", Party.CALLER)
    call.refresh(refreshed(7))
    return call


def test_a_new_store_is_empty(store: StateStore) -> None:
    assert store.load() == Saved([], {}, {}, Mark(0, 0))


def test_what_was_committed_is_there_after_a_restart(path: Path) -> None:
    one = rich_call()
    with closing(StateStore(path)) as store:
        commit(store, changes(one, ended=[("x", "a", T0 + 0.1)]), {ROUTER: 8})
    with closing(StateStore(path)) as store:
        assert store.load() == Saved([(1, one)], {("x", "a"): T0 + 0.1}, {ROUTER: 8}, MARK)


def test_commits_add_up(store: StateStore) -> None:
    commit(store, changes(call(1), call(2), ended=[("x", "a", 1.0), ("y", "a", 2.0)]), {ROUTER: 8})
    two = call(2)
    two.answer(answered(call_id="2"))
    ended = [("x", "a", 3.0), ("y", "a", None)]
    commit(store, changes(1, two, ended=ended), {ROUTER: 9, Router(1, "x"): 1})
    assert store.load() == Saved([(2, two)], {("x", "a"): 3.0}, {ROUTER: 9, Router(1, "x"): 1}, MARK)
    commit(store, changes(), {Router(1, "x"): 1}, Mark(6, 0))
    assert store.load() == Saved([(2, two)], {("x", "a"): 3.0}, {Router(1, "x"): 1}, Mark(6, 0))


def test_everything_comes_back_oldest_first(store: StateStore) -> None:
    calls = [call(serial) for serial in (7, 3, 5)]
    commit(store, changes(*calls, ended=[(name, "a", 1.0) for name in "zbka"]))
    commit(store, changes(calls[0], ended=[("b", "a", 2.0)]))
    saved = store.load()
    assert saved.calls == [(1, calls[1]), (1, calls[2]), (2, calls[0])]
    assert [call_id for call_id, _ in saved.recorded] == ["z", "k", "a", "b"]


def test_a_commit_that_fails_changes_nothing(store: StateStore) -> None:
    commit(store, changes(), {ROUTER: 8})
    broken = Mark(9, None)  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError):
        commit(store, changes(call(1)), {ROUTER: 9}, mark=broken)
    assert store.load() == Saved([], {}, {ROUTER: 8}, MARK)


def test_of_calls_that_ended_nothing_stays(path: Path) -> None:
    """The log is written anew from its oldest rows on, a few at a time, and so are calls that stay open in it."""
    with closing(StateStore(path)) as store:
        store.load()
        open_calls = dict.fromkeys(range(1, 501), 1)
        store.commit(Row(1, 0), changes(*map(call, open_calls)), {}, MARK)
        for serial in range(1001, 11_001, 200):
            row = store.next_row(len(open_calls))
            again = [each for each, written in open_calls.items() if written <= row.worn]
            passing = range(serial, serial + 200)
            store.commit(row, changes(*map(call, passing), *map(call, again)), {}, MARK)
            open_calls |= dict.fromkeys(again, row.number)
            store.commit(store.next_row(len(open_calls))._replace(worn=0), changes(*passing), {}, MARK)
        assert entries(store, "calls") <= 2 * 500 + 2 * SLACK + 500
    with closing(StateStore(path)) as store:
        assert sorted(one.serial for _, one in store.load().calls) == sorted(open_calls)


def test_the_ends_of_old_calls_are_forgotten(store: StateStore) -> None:
    for number in range(3):
        ended = [(f"{number}-{each}", "a", 1.0) for each in range(MAX_RECORDED // 2)]
        commit(store, changes(ended=ended))
    assert next(iter(store.load().recorded)) == ("0-0", "a")
    commit(store, changes(ended=[("last", "a", 1.0)]))
    recorded = list(store.load().recorded)
    assert (recorded[0], recorded[-1]) == (("1-0", "a"), ("last", "a"))


def entries(store: StateStore, table: str) -> int:
    rows = store._db.execute(f"SELECT entries FROM {table}")
    return sum(len(codec.unpack(packed)) for (packed,) in rows)


def test_durability_asked_of_sqlite(store: StateStore) -> None:
    def pragma(name: str) -> object:
        return store._db.execute(f"PRAGMA {name}").fetchone()[0]

    full = 2
    assert (pragma("journal_mode"), pragma("synchronous"), pragma("user_version")) == (
        "wal",
        full,
        SCHEMA_VERSION,
    )


@pytest.mark.parametrize(
    ("statement", "version"),
    [(f"PRAGMA user_version = {SCHEMA_VERSION + 1}", SCHEMA_VERSION + 1), ("CREATE TABLE other (x)", 0)],
)
def test_another_schema_is_refused(path: Path, statement: str, version: int) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(statement)
    with pytest.raises(
        StateError, match=f"journal.db has schema version {version}, this switchboard needs {SCHEMA_VERSION}"
    ):
        StateStore(path)


def test_a_second_journal_is_refused(path: Path, store: StateStore) -> None:
    assert store.load().calls == []
    with pytest.raises(StateError, match="used by another journal"):
        StateStore(path, busy_s=0.01)


def test_what_is_no_database_is_set_aside(path: Path) -> None:
    path.write_text("no database, but some text " * 50)
    store = StateStore(path)
    assert (store.load().calls, len(reports(path))) == ([], 1)
    store.close()


def test_of_a_damaged_file_goes_on_what_can_be_read(path: Path) -> None:
    store = StateStore(path)
    store.load()
    for number in range(1, 200):
        store.commit(store.next_row(number), changes(call(number)), {ROUTER: number}, Mark(5, number))
    store.close()
    overwrite(path, pages_of(path) // 2, KINDS["rubbish"])
    again = StateStore(path)
    saved = again.load()
    assert 150 < len(saved.calls) < 199
    assert (saved.numbers, saved.mark) == ({ROUTER: 199}, Mark(5, 199))
    assert len(reports(path)) == 1
    again.close()


def test_the_image_is_the_file(path: Path, store: StateStore) -> None:
    store.load()
    store.commit(store.next_row(1), changes(call(1)), {ROUTER: 1}, MARK)
    copy = path.with_name("copy.db")
    copy.write_bytes(store.image())
    other = StateStore(copy)
    assert other.load() == Saved([(1, other.load().calls[0][1])], {}, {ROUTER: 1}, MARK)
    other.close()


def test_a_directory_that_is_not_there_is_refused(path: Path) -> None:
    with pytest.raises(StateError, match="writable directory"):
        StateStore(path / "deeper")
