import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from journal.scripts import T0, answered, bye, failed, invite, refreshed

from switchboard.journal.call import Call
from switchboard.journal.deliveries import Router
from switchboard.journal.fold import Changes
from switchboard.journal.record import Party
from switchboard.journal.state import SCHEMA_VERSION, Saved, StateError, StateStore
from switchboard.journal.writer import Mark

MARK = Mark(5, 77)
ROUTER = Router(0, "first")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def store(path: Path) -> Iterator[StateStore]:
    with closing(StateStore(path)) as store:
        yield store


def changes(
    opened: list[Call] | None = None,
    closed: set[tuple[str, str]] | None = None,
    recorded: dict[tuple[str, str], float] | None = None,
    forgotten: set[tuple[str, str]] | None = None,
) -> Changes:
    return Changes([], opened or [], closed or set(), recorded or {}, forgotten or set())


def rich_call() -> Call:
    call = Call.begin(invite())
    call.fail(failed(401, at=1))
    call.answer(answered(2, "b"))
    call.answer(answered(2.125, "ž'\""))
    call.hang_up(bye(), "b", Party.CALLER)
    call.refresh(refreshed(7))
    return call


def test_a_new_store_is_empty(store: StateStore) -> None:
    assert store.load() == Saved([], {}, {}, Mark(0, 0))


def test_what_was_committed_is_there_after_a_restart(path: Path) -> None:
    call = rich_call()
    with closing(StateStore(path)) as store:
        store.commit(changes([call], recorded={("x", "a"): T0 + 0.1}), {ROUTER: 8}, set(), MARK)
    with closing(StateStore(path)) as store:
        assert store.load() == Saved([call], {("x", "a"): T0 + 0.1}, {ROUTER: 8}, MARK)


def test_commits_add_up(store: StateStore) -> None:
    one, two = Call.begin(invite(call_id="1")), Call.begin(invite(call_id="2"))
    store.commit(changes([one, two], recorded={("x", "a"): 1.0, ("y", "a"): 2.0}), {ROUTER: 8}, set(), MARK)
    two.answer(answered(call_id="2"))
    store.commit(
        changes([two], {one.key}, {("x", "a"): 3.0}, {("y", "a")}),
        {ROUTER: 9, Router(1, "x"): 1},
        set(),
        MARK,
    )
    assert store.load() == Saved([two], {("x", "a"): 3.0}, {ROUTER: 9, Router(1, "x"): 1}, MARK)
    store.commit(changes(), {}, {ROUTER}, Mark(6, 0))
    assert store.load() == Saved([two], {("x", "a"): 3.0}, {Router(1, "x"): 1}, Mark(6, 0))


def test_everything_comes_back_oldest_first(store: StateStore) -> None:
    calls = [Call.begin(invite(call_id=name)) for name in "zbka"]
    store.commit(changes(calls, recorded={(name, "a"): 1.0 for name in "zbka"}), {}, set(), MARK)
    store.commit(changes(calls[:1], recorded={("b", "a"): 2.0}), {}, set(), MARK)
    saved = store.load()
    assert saved.calls == calls
    assert [call_id for call_id, _ in saved.recorded] == ["z", "k", "a", "b"]


def test_a_commit_that_fails_changes_nothing(store: StateStore) -> None:
    store.commit(changes(), {ROUTER: 8}, set(), MARK)
    broken: dict[Router, int] = {ROUTER: 9, Router(1, "x"): None}  # type: ignore[dict-item]
    with pytest.raises(sqlite3.IntegrityError):
        store.commit(changes([Call.begin(invite())]), broken, set(), Mark(9, 9))
    assert store.load() == Saved([], {}, {ROUTER: 8}, MARK)


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
    [(f"PRAGMA user_version = {SCHEMA_VERSION + 1}", 2), ("CREATE TABLE other (x)", 0)],
)
def test_another_schema_is_refused(path: Path, statement: str, version: int) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(statement)
    with pytest.raises(
        StateError, match=f"journal.db has schema version {version}, this switchboard needs 1"
    ):
        StateStore(path)


def test_a_second_journal_is_refused(path: Path, store: StateStore) -> None:
    assert store.load().calls == []
    with pytest.raises(StateError, match="used by another journal"):
        StateStore(path, busy_s=0.01)


def test_what_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"no database " * 100)
    with pytest.raises(StateError, match="file is not a database"):
        StateStore(path)


def test_a_directory_that_is_not_there_is_refused(path: Path) -> None:
    with pytest.raises(StateError, match="writable directory"):
        StateStore(path / "deeper")


def test_a_call_that_an_older_journal_kept(path: Path) -> None:
    with closing(StateStore(path)) as store:
        store.commit(changes([rich_call()]), {}, set(), MARK)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "UPDATE open_call SET state = json_remove(state, '$.seen_at', '$.session_s', '$.is_past_us')"
        )
    with closing(StateStore(path)) as store:
        (call,) = store.load().calls
    assert (call.waits_since, call.session_s, call.is_past_us) == (T0 + 2, 0, False)
