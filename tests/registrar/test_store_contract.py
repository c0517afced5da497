"""What every store of bindings does, whatever it is on (`registrar/store.py`)."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from postgres_server import PostgresServer
from redis_server import redis_server
from registrar.locations import up

from switchboard.postgres.url import PostgresUrl
from switchboard.registrar.binding import Binding
from switchboard.registrar.postgres_location import PostgresLocation
from switchboard.registrar.redis_location import RedisLocation
from switchboard.registrar.redis_url import RedisUrl
from switchboard.registrar.shared import SharedStore
from switchboard.registrar.sqlite import SqliteStore
from switchboard.registrar.store import Store
from switchboard.sip.errors import UsageError

LATER = time.time() + 36_000
ONE = Binding("sip:lukas@10.0.0.9", 1.0, LATER, "", (), "", "call-1", 7, "Phone", "10.0.0.9:5060", "z9hG4bK1")
OTHER = Binding("sip:lukas@10.0.0.8", 0.5, LATER, "10.0.0.8:9", ("<sip:p;lr>",), ";q=0.5", "call-2", 1)
Open = Callable[[], Store]


@pytest.fixture(params=["sqlite", "redis", "postgresql"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same store as often as it is called; the one before is closed."""
    opened: list[Store] = []

    def reopened(make: Open) -> Open:
        def open_again() -> Store:
            for each in opened:
                each.close()
            opened[:] = [make()]
            return opened[0]

        return open_again

    path = tmp_path / "location.db"
    if request.param == "sqlite":
        yield reopened(lambda: SqliteStore(path))
    elif request.param == "postgresql":
        database: PostgresServer = request.getfixturevalue("postgres")
        there = PostgresLocation(PostgresUrl.parse(database.url(database.database())), time.time)
        yield reopened(lambda: up(SharedStore(path, there, time.time)))
    else:
        with redis_server(tmp_path / "redis") as server:
            location = RedisLocation(RedisUrl.parse(server.url), time.time)
            yield reopened(lambda: SharedStore(path, location, time.time))
            opened.pop().close()
    for each in opened:
        each.close()


@pytest.fixture
def store(open_store: Open) -> Store:
    return open_store()


def put(store: Store, user: str, *bindings: Binding) -> int:
    with store.batch() as change:
        store.put(user, bindings)
    return change.number


def test_what_was_put_is_there_within_the_batch_and_after_it(store: Store) -> None:
    with store.batch():
        store.put("lukas", [ONE])
        assert store.bindings("lukas") == [ONE]
        store.put("lukas", [ONE, OTHER])
    assert store.bindings("lukas") == [ONE, OTHER]
    assert store.snapshot()[1] == {"lukas": [ONE, OTHER]}
    assert store.count() == (1, 2)


def test_all_of_it_is_there_after_opening_it_again(open_store: Open) -> None:
    store = open_store()
    put(store, "lukas", ONE)
    put(store, "eva\udcff", OTHER)
    put(store, "gone", OTHER)
    number = put(store, "gone")
    again = open_store()
    assert again.snapshot() == (number, {"lukas": [ONE], "eva\udcff": [OTHER]})


def test_a_batch_that_fails_leaves_no_trace(store: Store) -> None:
    number = put(store, "lukas", ONE)

    def fail() -> None:
        with store.batch():
            store.put("lukas", [])
            store.put("eva", [OTHER])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.snapshot() == (number, {"lukas": [ONE]})
    with pytest.raises(UsageError):
        store.put("lukas", [])


def test_changes_are_counted_without_a_gap(store: Store) -> None:
    numbers = [put(store, "lukas", ONE), put(store, "lukas", ONE, OTHER), put(store, "lukas")]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    with store.batch() as change:
        assert store.bindings("lukas") == []
    assert (change.number, change.records) == (numbers[-1], [])


def test_what_expires_is_removed_and_comes_no_more(open_store: Open) -> None:
    store = open_store()
    put(store, "lukas", ONE._replace(expires_at=time.time() - 1), OTHER)
    users, _ = store.expired_users(time.time(), 100)
    assert users == ["lukas"]
    with store.expiring():
        store.put("lukas", [OTHER])
    assert store.bindings("lukas") == [OTHER]
    assert put(store, "lukas", ONE)
    assert open_store().bindings("lukas") == [ONE]


def test_pages_follow_the_names(store: Store) -> None:
    with store.batch():
        for user in ("c", "a", "b"):
            store.put(user, [ONE])
    first = store.page("", 2)
    assert (list(first.users), first.more) == (["a", "b"], True)
    second = store.page("b", 2)
    assert (list(second.users), second.more) == (["c"], False)


def test_nonces_stay(open_store: Open) -> None:
    store = open_store()
    with store.batch():
        store.keep_nonces({b"one": b"1", b"two": b"2"})
    with store.batch():
        store.keep_nonces({b"one": None})
    series = store.series
    again = open_store()
    assert (again.nonces(), again.series) == ([(b"two", b"2")], series)


def test_nobody_else_has_changed_anything(store: Store) -> None:
    put(store, "lukas", ONE)
    assert store.take_changes() == []
    assert store.try_again()
