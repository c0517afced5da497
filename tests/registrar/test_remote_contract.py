"""What every shared location does, whatever it is on (`registrar/remote.py`)."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import PostgresServer
from redis_server import redis_server
from registrar.locations import MemoryLocation

from switchboard.postgres.url import PostgresUrl
from switchboard.registrar.postgres_location import PostgresLocation
from switchboard.registrar.redis_location import USERS_AT_ONCE, RedisLocation
from switchboard.registrar.redis_url import RedisUrl
from switchboard.registrar.remote import ABSENT, Answer, Kept, Outcome, Put, Remote
from switchboard.registrar.shared import Location


@pytest.fixture(params=["memory", "redis", "postgresql"])
def locations(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Location, Location]]:
    """The same one, as two registrars have it."""
    if request.param == "memory":
        memory = MemoryLocation()
        yield memory, memory
        return
    if request.param == "postgresql":
        database: PostgresServer = request.getfixturevalue("postgres")
        place = PostgresUrl.parse(database.url(database.database()))
        yield PostgresLocation(place, time.time), PostgresLocation(place, time.time)
        return
    with redis_server(tmp_path / "redis") as server:
        url = RedisUrl.parse(server.url)
        yield RedisLocation(url, time.time), RedisLocation(url, time.time)


@pytest.fixture
def remotes(locations: tuple[Location, Location]) -> Iterator[tuple[Remote, Remote]]:
    one, other = (each.connect() for each in locations)
    other.check()
    other.begin()
    yield one, other
    one.close()
    other.close()


def put(remote: Remote, user: str, version: int, record: bytes, left_s: float = 60.0) -> tuple[bool, Kept]:
    [outcome] = remote.put([Put(user, version, record, left_s)])
    return outcome.is_done, outcome.kept


def test_only_who_knows_the_last_version_changes_a_user(remotes: tuple[Remote, Remote]) -> None:
    one, other = remotes
    is_done, first = put(one, "lukas", ABSENT, b"1")
    assert is_done
    assert first.version > ABSENT
    assert put(other, "lukas", ABSENT, b"2") == (False, first)
    is_done, second = put(other, "lukas", first.version, b"2")
    assert is_done
    assert second.version > first.version
    assert put(one, "lukas", first.version, b"3") == (False, second)


def test_who_does_not_wait_gets_the_answer_at_once_or_later(remotes: tuple[Remote, Remote]) -> None:
    one, other = remotes
    puts = [Put(f"user{each}", ABSENT, b"1", 60.0) for each in range(USERS_AT_ONCE + 1)]
    first, second = outcomes_of(one.ask(puts, 20.0)), outcomes_of(one.ask(puts, 20.0))
    assert [(each.is_done, each.kept.user) for each in first] == [(True, put.user) for put in puts]
    assert second == [Outcome(False, each.kept) for each in first]
    assert {kept.user: kept.version for kept in other.follow().changes} == {
        each.kept.user: each.kept.version for each in first
    }


def outcomes_of(answer: Answer) -> list[Outcome]:
    return answer if isinstance(answer, list) else answer()


def test_who_is_unbound_is_known_until_what_he_had_would_have_expired(remotes: tuple[Remote, Remote]) -> None:
    one, other = remotes
    _, bound = put(one, "lukas", ABSENT, b"bound", 60.0)
    _, unbound = put(one, "lukas", bound.version, b"none", 0.0)
    assert put(other, "lukas", ABSENT, b"again") == (False, unbound)
    _, short = put(one, "eva", ABSENT, b"none", 0.0)
    assert short.version


def test_many_at_once_are_done_in_their_order(remotes: tuple[Remote, Remote]) -> None:
    one, other = remotes
    put(one, "user7", ABSENT, b"first")
    names = [f"user{each}" for each in range(3 * USERS_AT_ONCE)]
    outcomes = one.put([Put(name, ABSENT, name.encode(), 60.0) for name in names])
    assert [each.kept.user for each in outcomes] == names
    assert [each.kept.user for each in outcomes if not each.is_done] == ["user7"]
    assert {kept.user for page in other.load() for kept in page} == set(names)


def test_changes_are_followed_from_where_one_began(remotes: tuple[Remote, Remote]) -> None:
    one, other = remotes
    _, first = put(one, "lukas", ABSENT, b"\x00:1:\n\xff")
    _, second = put(one, "eva\udcff", ABSENT, b"2")
    followed = other.follow()
    assert (list(followed.changes), followed.is_lost) == ([first, second], False)
    assert not other.follow().changes
    _, third = put(one, "lukas", first.version, b"3")
    assert list(other.follow().changes) == [third]


def test_all_users_are_read(remotes: tuple[Remote, Remote]) -> None:
    one, other = remotes
    assert [kept for page in other.load() for kept in page] == []
    _, first = put(one, "lukas", ABSENT, b"1")
    _, second = put(one, "eva", ABSENT, b"2")
    assert sorted(kept for page in other.load() for kept in page) == sorted((first, second))
