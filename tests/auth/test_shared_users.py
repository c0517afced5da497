"""Users that several switchboards share on a real PostgreSQL server, and the copy that each has."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from postgres_server import PostgresServer

from switchboard.auth.postgres_users import PostgresUsers
from switchboard.auth.shared_users import SharedUserStore
from switchboard.auth.user_store import UserStore, read_page
from switchboard.auth.users import Record, Users, make_entry
from switchboard.postgres.records import MARKS_KEPT
from switchboard.postgres.url import PostgresUrl
from switchboard.storage.records import Page, StoreFollower
from switchboard.storage.unusable import NotWritten, RemoteError

REALM = "pbx"
AT = 1_700_000_000.0
LIMIT_S = 30.0


class Place:
    def __init__(self, server: PostgresServer, directory: Path) -> None:
        self.server, self.directory, self.name = server, directory, server.database()
        self.url = PostgresUrl.parse(server.url(self.name))

    def remote(self) -> PostgresUsers:
        return PostgresUsers(self.url)

    def path(self, name: str) -> Path:
        return self.directory / f"{name}.db"

    def store(self, name: str = "users", follows: bool = True) -> "closing[SharedUserStore]":
        store = SharedUserStore(self.path(name), self.remote, follows)
        tend(store, lambda: not store.writing.error)
        return closing(store)

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        return self.server.do(f"SET search_path = switchboard; {statement}", database=self.name)


@pytest.fixture
def place(postgres: PostgresServer, tmp_path: Path) -> Place:
    return Place(postgres, tmp_path)


def tend(store: SharedUserStore, holds: Callable[[], object]) -> None:
    """Do what the registrar's loop does with a store until it holds."""
    until = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < until, "never"
        store.go_on()
        time.sleep(0.005)


def fill(store: UserStore, *users: str, password: str = "secret", at: float = AT) -> int:
    return store.put([make_entry(user, REALM, password) for user in users], at)


def names(store: UserStore) -> list[str]:
    return [each.user for each in store.users()]


def ha1(store: UserStore, user: str) -> str:
    found = store.find(user)
    return found.sha256 if found else ""


def test_a_change_reaches_the_others_by_itself(place: Place) -> None:
    with place.store("one") as one, place.store("other") as other:
        assert fill(one, "lukas", "eva") == 2
        assert names(one) == ["eva", "lukas"]
        tend(other, lambda: names(other) == ["eva", "lukas"])
        assert fill(other, "eva", "jan", password="other") == 1
        tend(one, lambda: ha1(one, "eva") == ha1(other, "eva") and one.find("jan"))
        assert other.remove("lukas", AT + 1)
        assert not other.remove("lukas", AT + 2)
        tend(one, lambda: names(one) == ["eva", "jan"])
        assert one.state()[1] == other.state()[1]


def test_routers_read_the_copy_as_ever(place: Place) -> None:
    users = Users(REALM)
    follower = StoreFollower(users, lambda after: read_page(place.path("users"), after, 1000))
    with place.store() as store:
        fill(store, "lukas")
        follower.told(*store.state())
        assert "lukas" in users
        fill(store, "eva")
        series = users.series
        follower.told(*store.state())
        assert "eva" in users
        assert users.series == series


def test_who_was_here_before_the_switchboard_joined_is_there_then(place: Place) -> None:
    """Of a user whom both know, what was changed later."""
    with closing(UserStore(place.path("users"))) as alone:
        fill(alone, "lukas", "eva", password="early", at=AT)
        fill(alone, "jan", password="late", at=AT + 20)
        fill(alone, "gone", at=AT)
        alone.remove("gone", AT + 20)
    with place.store("first") as first:
        fill(first, "eva", "jan", "gone", password="middle", at=AT + 10)
        eva = ha1(first, "eva")
        with place.store() as store:
            assert store.joined == 3
            assert names(store) == ["eva", "jan", "lukas"]
            assert ha1(store, "eva") == eva
        tend(first, lambda: names(first) == ["eva", "jan", "lukas"])


def test_while_the_server_is_away_passwords_count_and_nothing_changes(place: Place) -> None:
    with place.store() as store:
        fill(store, "lukas")
        place.server.kill()
        with pytest.raises(NotWritten, match="cannot be changed: postgresql://"):
            fill(store, "eva")
        tend(store, lambda: "refused" in store.writing.note())
        assert "secret" not in store.writing.note().replace("secrets", "")
        with pytest.raises(NotWritten):
            store.remove("lukas", AT)
        assert names(store) == ["lukas"]
        place.server.start()
        tend(store, lambda: not store.writing.error)
        assert fill(store, "eva") == 1


def test_it_starts_with_its_copy_while_the_server_is_away(place: Place) -> None:
    with place.store() as store:
        fill(store, "lukas")
        state = store.state()
    place.server.kill()
    for follows in (True, False):
        with closing(SharedUserStore(place.path("users"), place.remote, follows)) as again:
            assert names(again) == ["lukas"]
            assert again.state() == state
            assert again.writing.error
    place.server.start()
    with place.store() as again:
        assert again.state() == state
        assert again.joined == 0


def test_a_command_asks_once(place: Place) -> None:
    with place.store("one") as one:
        fill(one, "lukas")
        with place.store("command", follows=False) as command:
            assert names(command) == ["lukas"]
            assert command.fd is None
            fill(command, "eva")
        tend(one, lambda: names(one) == ["eva", "lukas"])


@pytest.mark.parametrize("loss", ["restored", "emptied", "dropped"])
def test_what_the_server_has_lost_comes_back_from_the_copies(place: Place, loss: str) -> None:
    with place.store() as store:
        fill(store, "lukas")
        fill(store, "eva", at=AT + 1)
        series, _ = store.state()
        if loss == "restored":
            place.ask(
                "DELETE FROM users WHERE \"user\" = 'eva';"
                "DELETE FROM users_marks WHERE number = (SELECT max(number) FROM users_marks);"
                "UPDATE users_state SET number = (SELECT max(number) FROM users_marks)"
            )
        elif loss == "emptied":
            place.ask("TRUNCATE users, users_marks, users_state")
        else:
            place.ask("DROP SCHEMA switchboard CASCADE")
        tend(store, lambda: store.state()[0] != series and not store.writing.error)
        assert names(store) == ["eva", "lukas"]
    with place.store("other") as other:
        assert names(other) == ["eva", "lukas"]


def test_a_copy_that_was_away_for_long_brings_nobody_back(place: Place) -> None:
    with place.store("late") as late:
        fill(late, "lukas", "eva")
    with place.store() as store:
        store.remove("lukas", AT + 10)
        place.ask("DELETE FROM users_marks WHERE number < (SELECT max(number) FROM users_marks)")
        with place.store("late") as late:
            assert names(late) == ["eva"]
        assert names(store) == ["eva"]


def test_the_marks_are_bounded(place: Place) -> None:
    with place.store(follows=False) as store:
        fill(store, "lukas")
        place.ask(f"INSERT INTO users_marks SELECT generate_series(1, {MARKS_KEPT} + 50)")
        fill(store, "eva")
        assert place.ask("SELECT count(*) FROM users_marks") == [(MARKS_KEPT + 1,)]


def test_what_could_not_be_copied_is_asked_for_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with place.store("one") as one, place.store("other") as other:
        refused: list[Page[Record]] = []
        adopt = UserStore.adopt

        def fail_once(store: UserStore, page: Page[Record]) -> None:
            if store is other and not refused:
                refused.append(page)
                raise NotWritten("no room")
            adopt(store, page)

        monkeypatch.setattr(UserStore, "adopt", fail_once)
        fill(one, "lukas")
        tend(other, lambda: names(other) == ["lukas"])
        assert refused


def test_a_later_schema_is_left_alone(place: Place) -> None:
    with place.store() as store:
        fill(store, "lukas")
        place.ask("UPDATE alembic_version SET version_num = '9000'")
        tend(store, lambda: "a later program" in store.writing.note())
        assert names(store) == ["lukas"]


def test_many_users_at_once(place: Place) -> None:
    many = [f"user{each:04}" for each in range(1200)]
    with closing(UserStore(place.path("users"))) as alone:
        fill(alone, *many)
    with place.store() as store:
        assert names(store) == many
        assert store.joined == len(many)


def test_nobody_is_there() -> None:
    remote = PostgresUsers(PostgresUrl.parse("postgresql://u:secret@nobody.invalid/d"))
    with pytest.raises(RemoteError, match="nobody.invalid/d: ") as raised:
        remote.since("", 0)
    assert "secret" not in str(raised.value)
