"""The users on disk, and how routers keep up with them."""

import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from storage.damage import KINDS, overwrite

from switchboard.auth.user_store import UserStore, UserStoreError, read_page
from switchboard.auth.users import Record, Users, make_entry
from switchboard.storage import database
from switchboard.storage.mending import reports
from switchboard.storage.records import Page, PageFollower, StoreFollower

AT = 1_700_000_000.0
REALM = "pbx"


def fill(store: UserStore, *users: str) -> None:
    store.put([make_entry(user, REALM, "secret of " + user) for user in users], AT)


@pytest.fixture
def store(tmp_path: Path) -> UserStore:
    return UserStore(tmp_path / "users.db")


def test_what_is_kept_is_no_password_and_for_nobody_else(store: UserStore, tmp_path: Path) -> None:
    fill(store, "lukas")
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert b"secret of" not in path.read_bytes()


def test_it_is_there_after_a_restart(store: UserStore, tmp_path: Path) -> None:
    fill(store, "lukas", "lenka")
    before = store.state()
    again = UserStore(tmp_path / "users.db")
    assert again.state() == before
    assert [each.user for each in again.users()] == ["lenka", "lukas"]


def test_a_file_that_is_taken_away_is_made_again_before_it_is_changed(tmp_path: Path) -> None:
    store = UserStore(tmp_path / "users.db")
    fill(store, "lukas")
    for path in tmp_path.glob("users.db*"):
        path.unlink()
    fill(store, "lenka")
    again = UserStore(tmp_path / "users.db")
    assert [each.user for each in again.users()] == ["lenka", "lukas"]
    assert again.state() == store.state()
    assert not store.writing.error


def test_another_file_in_its_place_counts(tmp_path: Path) -> None:
    store, other = UserStore(tmp_path / "users.db"), UserStore(tmp_path / "other.db")
    fill(store, "lukas")
    fill(other, "anna")
    other.close()
    for path in tmp_path.glob("users.db-*"):
        path.unlink()
    (tmp_path / "other.db").replace(tmp_path / "users.db")
    fill(store, "lenka")
    assert [each.user for each in UserStore(tmp_path / "users.db").users()] == ["anna", "lenka"]


def test_new_changed_and_removed(store: UserStore) -> None:
    assert store.put([make_entry("lukas", REALM, "a")], AT) == 1
    assert store.put([make_entry("lukas", REALM, "b"), make_entry("lenka", REALM, "c")], AT) == 1
    assert store.remove("lukas", AT)
    assert not store.remove("lukas", AT)
    assert store.find("lukas") is None
    assert [each.user for each in store.users()] == ["lenka"]


def test_a_router_that_starts_first_meets_no_half_made_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "users.db"
    seen: list[Page[Record] | None] = []

    class Watched(sqlite3.Connection):
        def execute(self, *args: Any) -> sqlite3.Cursor:
            seen.append(read_page(path, 0, 1))
            return super().execute(*args)

        def executescript(self, script: str, /) -> sqlite3.Cursor:
            seen.append(read_page(path, 0, 1))
            return super().executescript(script)

    monkeypatch.setattr(
        database, "connect", lambda at: sqlite3.connect(at, isolation_level=None, factory=Watched)
    )
    store = UserStore(path)
    assert seen[0] is None
    assert read_page(path, 0, 1) == Page(store.state()[0], 0, [], more=False)


def test_a_file_that_is_no_store_is_set_aside_by_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "users.db"
    path.write_text("no database at all, but text " * 50)
    with pytest.raises(UserStoreError, match="cannot be used"):
        read_page(path, 0, 1)
    store = UserStore(path)
    assert (store.users(), len(reports(path))) == ([], 1)
    store.close()


@pytest.mark.parametrize("page", range(1, 12, 2))
def test_of_a_damaged_store_who_can_be_read_stays_and_who_is_missing_is_named(
    store: UserStore, tmp_path: Path, page: int
) -> None:
    path = tmp_path / "users.db"
    fill(store, *(f"user{number}" for number in range(200)))
    before = {each.user: each for each in store.users()}
    series, number = store.state()
    store.close()
    overwrite(path, page, KINDS["rubbish"])
    again = UserStore(path)
    after = {each.user: each for each in again.users()}
    [report] = reports(path)
    missing = before.keys() - after.keys()
    assert after == {user: each for user, each in before.items() if user not in missing}
    assert len(missing) < 40
    assert "missing: " in report.saved or not missing
    named = report.saved.partition("missing: ")[2].partition(" and ")[0]
    assert set(filter(None, named.split(", "))) <= missing
    assert again.state()[0] != series, "routers read all anew"
    fill(again, "new")
    assert again.state()[1] > number - len(missing)
    again.close()


def test_a_router_beside_it_reads_what_changed(store: UserStore, tmp_path: Path) -> None:
    users = Users(REALM)
    follower = StoreFollower(users, lambda after: read_page(tmp_path / "users.db", after, 2))
    follower.start()
    fill(store, "a", "b", "c", "d", "e")
    follower.told(*store.state())
    assert sorted(user for user in "abcdef" if user in users) == ["a", "b", "c", "d", "e"]
    store.remove("b", AT)
    fill(store, "f")
    follower.told(*store.state())
    assert sorted(user for user in "abcdef" if user in users) == ["a", "c", "d", "e", "f"]
    assert (users.series, users.number) == store.state()


def test_another_store_in_its_place_is_read_from_the_beginning(tmp_path: Path) -> None:
    one, other = UserStore(tmp_path / "one.db"), UserStore(tmp_path / "other.db")
    fill(one, "lukas")
    fill(other, "lenka")
    users = Users(REALM)
    for store in (one, other):
        StoreFollower(users, lambda after, store=store: store.page(after, 10)).told(*store.state())  # type: ignore[misc]
    assert "lenka" in users
    assert "lukas" not in users


def test_a_router_elsewhere_asks_page_by_page_and_keeps_a_copy(store: UserStore, tmp_path: Path) -> None:
    fill(store, "a", "b", "c")
    asked: list[int] = []
    users, copy = Users(REALM), UserStore(tmp_path / "copy.db")
    follower = PageFollower(users, copy, asked.append)
    follower.start()
    assert not users.is_loaded
    follower.told(*store.state())
    while asked:
        series, after, records, more = store.page(asked.pop(), 2)
        follower.take_page([series, after, [list(record) for record in records], more])
    assert all(user in users for user in "abc")
    assert copy.state() == store.state()
    successor = Users(REALM)
    PageFollower(successor, copy, asked.append).start()
    assert all(user in successor for user in "abc")
    store.remove("a", AT)
    follower.told(*store.state())
    assert asked == [3]


def test_there_may_be_no_store_yet(tmp_path: Path) -> None:
    users = Users(REALM)
    StoreFollower(users, lambda after: read_page(tmp_path / "none.db", after, 2)).start()
    assert not users.is_loaded


def test_users_are_named_page_by_page_without_those_who_were_removed(store: UserStore) -> None:
    fill(store, "lenka", "lukas", "eva", "Lukas", "lu%")
    store.remove("lenka", AT)
    assert [each.user for each in store.named("", "", 9)] == ["Lukas", "eva", "lu%", "lukas"]
    assert [each.user for each in store.named("", "eva", 1)] == ["lu%"]
    assert [each.user for each in store.named("lu", "", 9)] == ["lu%", "lukas"]
    assert store.named("lenka", "", 9) == store.named("", "lukas", 9) == []
