"""A location on a real PostgreSQL server, and what may go wrong with it (`registrar/postgres_location.py`)."""

import errno
import os
import pwd
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from full_disk import small_disk
from postgres_server import PostgresServer, postgres_server
from registrar.locations import await_true, tend, up
from registrar.test_redis_location import ONE, OTHER, is_bound, put, put_in_the_end, refused

from switchboard.codec import unpack
from switchboard.postgres.connection import TIMEOUT_S
from switchboard.postgres.url import PostgresUrl
from switchboard.registrar import postgres_location
from switchboard.registrar.binding import Binding
from switchboard.registrar.postgres_location import USERS_AT_ONCE, PostgresLocation
from switchboard.registrar.remote import ABSENT, Put, RemoteError
from switchboard.registrar.shared import SharedStore
from switchboard.registrar.store import Conflict
from switchboard.storage.unusable import NotWritten

LIMIT_S = 30.0


class Place:
    """A database of its own, and the ways to it."""

    def __init__(self, server: PostgresServer) -> None:
        self.server, self.name = server, server.database()

    def location(self, options: str = "") -> PostgresLocation:
        return PostgresLocation(PostgresUrl.parse(self.server.url(self.name, options)), time.time)

    def store(self, options: str = "") -> "closing[SharedStore]":
        """Of a registrar of its own, which can write."""
        return closing(up(self.new_store(options)))

    def new_store(self, options: str = "") -> SharedStore:
        """The same, whether it can or not."""
        return SharedStore(":memory:", self.location(options), time.time)

    def do(self, statement: str, *values: Any) -> list[Any]:
        """As superuser, in our schema."""
        return self.server.do(f"SET search_path = switchboard; {statement}", *values, database=self.name)

    def ask(self, question: str) -> list[Any]:
        return self.server.do(question, database=self.name)

    def users(self) -> set[str]:
        return {bytes(name).decode() for (name,) in self.ask("SELECT name FROM switchboard.location_users")}

    def cut(self) -> None:
        """All connections to it."""
        self.server.do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", self.name)


@pytest.fixture
def place(postgres: PostgresServer) -> Place:
    return Place(postgres)


@pytest.fixture
def store(place: Place) -> Iterator[SharedStore]:
    with place.store() as store:
        yield store


def comes_back(store: SharedStore) -> None:
    """It can be written again, by itself."""
    tend(store, lambda: not store.writing.error, LIMIT_S)
    put_in_the_end(store, "lukas", OTHER)
    assert store.bindings("lukas") == [OTHER]


def test_others_hear_of_changes_by_themselves(place: Place, store: SharedStore) -> None:
    with place.store() as other:
        put(store, "lukas", ONE)
        tend(other, lambda: is_bound(other, "lukas", ONE), LIMIT_S)
        put(other, "lukas", ONE, OTHER)
        tend(store, lambda: is_bound(store, "lukas", ONE, OTHER), LIMIT_S)
        assert store.stats()["location.loads"] == other.stats()["location.loads"] == 1


def test_rows_last_as_long_as_their_bindings(
    place: Place, store: SharedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_location, "TIDIED_EVERY_S", 0.05)
    put(store, "lukas", ONE, OTHER)
    put(store, "lukas")
    [(ends_at,)] = place.ask("SELECT extract(epoch FROM ends_at)::float8 FROM switchboard.location_users")
    assert ends_at == pytest.approx(ONE.expires_at, abs=300)
    put(store, "eva", ONE._replace(expires_at=time.time() + 0.05))
    await_true(lambda: place.users() == {"lukas"}, LIMIT_S)


def test_marks_are_bounded_and_who_was_away_for_long_reads_all(
    place: Place, store: SharedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "lukas", ONE)
    remote = place.location().connect()
    remote.begin()
    for each in range(5):
        put(store, f"user{each}", ONE)
    place.do("DELETE FROM location_marks WHERE version < (SELECT max(version) FROM location_marks)")
    assert remote.follow().is_lost
    remote.close()
    monkeypatch.setattr(postgres_location, "TIDIED_EVERY_S", 0.05)
    monkeypatch.setattr(
        postgres_location, "_TIDY", tuple(each.replace("10000", "3") for each in postgres_location._TIDY)
    )
    for each in range(9):
        put(store, f"user{each}", ONE, OTHER)
    await_true(lambda: place.ask("SELECT count(*) FROM switchboard.location_marks") == [(4,)], LIMIT_S)
    tend(store, lambda: store.stats()["location.loads"], LIMIT_S)


def test_more_changes_than_are_read_at_once(place: Place, store: SharedStore) -> None:
    reader, writer = place.location().connect(), place.location().connect()
    reader.begin()
    names = [f"user{each}" for each in range(2 * USERS_AT_ONCE + 7)]
    writer.put([Put(name, ABSENT, b"", 60.0) for name in names])
    found: list[str] = []
    while changes := reader.follow().changes:
        found += [each.user for each in changes]
    assert found == names
    assert not reader.follow().is_lost
    for each in (reader, writer):
        each.close()
    assert store.bindings("user1") == []


def test_registrars_at_once_lose_no_change(place: Place) -> None:
    """Each adds to what it has read, as the rules do; versions decide who has to read again."""
    rounds, users = 40, ("lukas", "eva")
    barrier = threading.Barrier(3)

    def work(number: int) -> None:
        with place.store() as store:
            barrier.wait()
            for each in range(rounds):
                binding = ONE._replace(contact=f"sip:{number}-{each}@h", call_id=f"{number}-{each}")
                add(store, users[each % 2], binding)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    found = place.ask("SELECT record FROM switchboard.location_users")
    assert sum(len(unpack(record)[1]) for (record,) in found) == 3 * rounds
    with place.store() as store:
        tend(store, lambda: sum(len(store.bindings(user)) for user in users) == 3 * rounds, LIMIT_S)


def add(store: SharedStore, user: str, binding: Binding) -> None:
    while True:
        with suppress(Conflict), store.batch():
            store.put(user, [*store.bindings(user), binding])
            return


def test_a_change_that_is_committed_late_is_not_passed_over(place: Place, store: SharedStore) -> None:
    """Versions are given out in the order of the commits: who comes second waits for the first."""
    put(store, "lukas", ONE)
    reader, writer = place.location().connect(), place.location().connect()
    reader.begin()
    slow = psycopg.connect(
        f"host={place.server.directory} port={place.server.port} user=postgres dbname={place.name}"
    )
    slow.execute("SET search_path = switchboard")
    columns = ["slow", [b"early"], [0], [60.0], [b"1"]]
    slow.execute("SELECT location_put(%s, %s::bytea[], %s::bigint[], %s::float8[], %s::bytea[])", columns)
    thread = threading.Thread(target=writer.put, args=([Put("late", ABSENT, b"2", 60.0)],))
    thread.start()
    await_true(lambda: place.ask("SELECT count(*) FROM pg_locks WHERE NOT granted") != [(0,)], LIMIT_S)
    assert reader.follow().changes == []
    slow.commit()
    thread.join()
    assert [each.user for each in reader.follow().changes] == ["early", "late"]
    slow.close()
    for each in (reader, writer):
        each.close()


def test_a_server_that_was_killed_is_found_again(place: Place, store: SharedStore) -> None:
    put(store, "lukas", ONE)
    place.server.kill()
    refused(store)
    assert store.writing.error
    assert store.bindings("lukas") == [ONE]
    place.server.start()
    assert place.users() == {"lukas"}
    comes_back(store)


@pytest.mark.parametrize("loss", ["rows", "schema", "later rows"])
def test_what_the_server_has_lost_is_filled_again_with_the_true_lifetimes(
    place: Place, store: SharedStore, loss: str
) -> None:
    put(store, "lukas", ONE)
    put(store, "eva", OTHER)
    if loss == "rows":
        place.do("TRUNCATE location_users, location_marks, location_state")
    elif loss == "schema":
        place.ask("DROP SCHEMA switchboard CASCADE")
    else:  # as after a restore of an earlier state, which others have gone on with
        place.do(
            "DELETE FROM location_users WHERE name = 'eva';"
            "DELETE FROM location_marks WHERE version = (SELECT max(version) FROM location_marks)"
        )
        with place.store() as other:
            put_in_the_end(other, "petra", ONE)
    tend(store, lambda: _has(place, {"lukas", "eva"}), LIMIT_S)
    with place.store() as other:
        tend(other, lambda: is_bound(other, "lukas", ONE) and is_bound(other, "eva", OTHER), LIMIT_S)


def _has(place: Place, users: set[str]) -> bool:
    with suppress(psycopg.errors.UndefinedTable):
        return place.users() >= users
    return False


def test_a_database_that_became_read_only(place: Place, store: SharedStore) -> None:
    put(store, "lukas", ONE)
    place.server.do(f"ALTER DATABASE {place.name} SET default_transaction_read_only = on")
    place.cut()
    tend(store, lambda: store.writing.error == errno.EROFS, LIMIT_S)
    assert "it is a standby or read-only" in refused(store)
    place.server.do(f"ALTER DATABASE {place.name} RESET default_transaction_read_only")
    place.cut()
    comes_back(store)


def test_a_slow_server_is_waited_for(place: Place, store: SharedStore) -> None:
    put(store, "lukas", ONE)
    with locked(place) as holder:
        began = time.monotonic()
        timer = threading.Timer(0.3, holder.rollback)
        timer.start()
        put_in_the_end(store, "lukas", OTHER)
        assert time.monotonic() - began > 0.1
        timer.join()
    assert not store.writing.error


def test_a_lock_that_is_kept_counts_as_away(place: Place, store: SharedStore) -> None:
    put(store, "lukas", ONE)
    with locked(place) as holder:
        assert re.search("lock on our tables|no answer within", refused(store))
        holder.rollback()
    comes_back(store)


@contextmanager
def locked(place: Place) -> Iterator[psycopg.Connection[Any]]:
    """The tables are locked as by a VACUUM FULL, until this connection rolls back."""
    place_of = f"host={place.server.directory} port={place.server.port} user=postgres dbname={place.name}"
    with closing(psycopg.connect(place_of)) as holder:
        holder.execute("LOCK TABLE switchboard.location_users IN ACCESS EXCLUSIVE MODE")
        yield holder


def test_a_server_that_hangs_counts_as_away(place: Place, store: SharedStore) -> None:
    put(store, "lukas", ONE)
    place.server.stop()
    try:
        began = time.monotonic()
        assert f"no answer within {TIMEOUT_S:g} s" in refused(store)
        assert time.monotonic() - began < LIMIT_S
    finally:
        place.server.go_on()
    comes_back(store)


def test_rows_of_others_do_no_harm(place: Place, store: SharedStore) -> None:
    put(store, "lukas", ONE)
    for name, record in (("junk", b"\xc1"), ("eva", b"\x92\xa4other\x90"), ("empty", b"")):
        place.server.do(
            "INSERT INTO switchboard.location_users VALUES (%s, 9000000000000000, 'infinity', 'psql', %s)",
            name.encode(),
            record,
            database=place.name,
        )
    with place.store() as other:
        tend(other, lambda: is_bound(other, "lukas", ONE), LIMIT_S)
        for user in ("junk", "eva", "empty"):
            assert other.bindings(user) == []
            put_in_the_end(other, user, ONE)
            assert other.bindings(user) == [ONE]


def test_a_later_schema_is_left_alone(place: Place, store: SharedStore) -> None:
    put(store, "lukas", ONE)
    before = place.ask("SELECT version_num FROM switchboard.alembic_version")[0][0]
    place.do("UPDATE alembic_version SET version_num = '9000'")
    await_true(lambda: not store._link.is_up, LIMIT_S)
    store.go_on()
    assert "9000" in refused(store)
    with closing(place.new_store()) as other:
        await_true(lambda: other._link.error, LIMIT_S)
        other.go_on()
        assert "a later program has made its tables (9000)" in other.writing.note()
    place.do(f"UPDATE alembic_version SET version_num = '{before}'")
    comes_back(store)


def test_a_role_without_rights(place: Place, store: SharedStore) -> None:
    put(store, "lukas", ONE)
    place.do("ALTER TABLE location_users OWNER TO postgres")
    assert "the role may not do that" in refused(store)
    assert "location_users" in store.writing.note()
    place.do("GRANT SELECT, INSERT, UPDATE, DELETE ON location_users TO switchboard")
    comes_back(store)


def test_the_grants_of_the_docs_suffice(place: Place, store: SharedStore) -> None:
    """The owner has made the tables; the switchboard's role may use them only."""
    put(store, "lukas", ONE)
    place.server.do("DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN")
    place.ask(
        "GRANT USAGE ON SCHEMA switchboard TO guest;"
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA switchboard TO guest;"
    )
    url = PostgresUrl.parse(f"postgresql://guest@127.0.0.1:{place.server.port}/{place.name}")
    with closing(SharedStore(":memory:", PostgresLocation(url, time.time), time.time)) as guest:
        up(guest)
        tend(guest, lambda: is_bound(guest, "lukas", ONE), LIMIT_S)
        put_in_the_end(guest, "eva", ONE)
        assert not guest.writing.error


def test_two_switchboards_with_schemas_of_their_own(place: Place, store: SharedStore) -> None:
    put(store, "lukas", ONE)
    with place.store("?schema=other") as other:
        tend(other, lambda: other.stats()["location.loads"], LIMIT_S)
        put(other, "lukas", OTHER)
    assert store.bindings("lukas") == [ONE]


def test_what_may_lose_registrations_is_told(place: Place) -> None:
    late = PostgresLocation(place.location().url, lambda: time.time() - 3600)
    with closing(late.connect()) as remote:
        assert [found for found, _ in remote.doubts()] == [
            "without fsync and full_page_writes a power failure damages the database",
            "its clock differs from ours by 3600 s",
        ]
    doubts = postgres_location._doubts("on", "on", False, False, 0.0)
    assert [found for found, _ in doubts] == ["the connection is not encrypted"]
    assert list(postgres_location._doubts("on", "on", False, True, 0.0)) == []


def test_nobody_is_there() -> None:
    url = PostgresUrl.parse("postgresql://u:secret@nobody.invalid/d")
    with pytest.raises(RemoteError, match=r"postgresql://u:…@nobody\.invalid/d: ") as raised:
        PostgresLocation(url, time.time).connect().check()
    assert "secret" not in str(raised.value)


def test_a_full_disk() -> None:
    """Of the tables; that of the server's log is another, since without that no server goes on."""
    with (
        tempfile.TemporaryDirectory() as directory,
        small_disk(Path(directory) / "disk", 8_000_000) as disk,
        postgres_server() as server,
    ):
        owner = pwd.getpwnam("postgres")
        for each in (disk.path, disk.path.parent):
            os.chown(each, owner.pw_uid, owner.pw_gid)
        server.do(f"CREATE TABLESPACE small LOCATION '{disk.path}'")
        server.do("GRANT CREATE ON TABLESPACE small TO switchboard")
        place = Place(server)
        server.do(f"ALTER DATABASE {place.name} SET default_tablespace = small")
        with place.store() as store:
            put(store, "lukas", ONE)
            disk.fill()
            with pytest.raises(NotWritten, match="its disk is full"):
                put_many(store)
            assert store.writing.error == errno.ENOSPC
            assert store.bindings("lukas") == [ONE]
            disk.free()
            comes_back(store)


def put_many(store: SharedStore) -> None:
    for each in range(500):
        put(store, f"user{each}", ONE._replace(params=";a=" + "x" * 30_000))
