"""A location on a real Redis server, and what may go wrong with it (`registrar/redis_location.py`)."""

import errno
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from half_way import NEVER, half_way
from redis_server import RedisServer, free_port, redis_server
from registrar.locations import await_true, tend

from switchboard.registrar.binding import Binding
from switchboard.registrar.redis_client import TIMEOUT_S
from switchboard.registrar.redis_location import (
    ENTRIES_KEPT,
    OCTETS_AT_ONCE,
    RedisLocation,
)
from switchboard.registrar.redis_url import RedisUrl
from switchboard.registrar.remote import ABSENT, Put, RemoteError
from switchboard.registrar.shared import SharedStore
from switchboard.registrar.store import Conflict
from switchboard.storage.unusable import NotWritten
from switchboard.transports.certificates import issue, make_authority, new_key

ONE = Binding("sip:lukas@10.0.0.9", 1.0, time.time() + 36_000, call_id="call-1", cseq=1)
OTHER = Binding("sip:lukas@10.0.0.8", 1.0, time.time() + 18_000, call_id="call-2", cseq=1)
LONG_S, SHORT_S = 20.0, 0.02
KEYS = "{switchboard:0}:"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as server:
        yield server


def location_at(server: RedisServer, options: str = "", wait_replicas: int = 0) -> RedisLocation:
    return RedisLocation(RedisUrl.parse(server.url + options), time.time, wait_replicas=wait_replicas)


@pytest.fixture
def store(server: RedisServer) -> Iterator[SharedStore]:
    with closing(SharedStore(":memory:", location_at(server), time.time)) as store:
        yield store


def another(server: RedisServer) -> "closing[SharedStore]":
    """A registrar elsewhere."""
    return closing(SharedStore(":memory:", location_at(server), time.time))


def put(store: SharedStore, user: str, *bindings: Binding) -> None:
    with store.batch():
        store.put(user, bindings)


def put_in_the_end(store: SharedStore, user: str, *bindings: Binding) -> None:
    """As a registrar does, which looks again after each conflict."""
    while True:
        with suppress(Conflict):
            put(store, user, *bindings)
            return


def is_bound(store: SharedStore, user: str, *bindings: Binding) -> bool:
    return store.bindings(user) == list(bindings)


def refused(store: SharedStore) -> str:
    """What people are told, since nothing can be changed."""
    with pytest.raises(NotWritten):
        put_in_the_end(store, "nobody", ONE)
    assert store.bindings("nobody") == []
    return store.writing.note()


def test_others_hear_of_changes_by_themselves(server: RedisServer, store: SharedStore) -> None:
    with another(server) as other:
        put(store, "lukas", ONE)
        tend(other, lambda: is_bound(other, "lukas", ONE))
        put(other, "lukas", ONE, OTHER)
        tend(store, lambda: is_bound(store, "lukas", ONE, OTHER))


def assert_lives(server: RedisServer, user: str, binding: Binding) -> None:
    """The server keeps the user as long as the binding is valid, give or take a busy machine."""
    left_ms = server.do("PTTL", f"{KEYS}user:{user}")
    assert left_ms / 1000 == pytest.approx(binding.expires_at - time.time(), abs=300)


def test_keys_expire_with_their_bindings(server: RedisServer, store: SharedStore) -> None:
    put(store, "lukas", ONE, OTHER)
    assert_lives(server, "lukas", ONE)
    put(store, "lukas")
    assert_lives(server, "lukas", ONE)
    put(store, "eva", ONE._replace(expires_at=time.time() + 0.05))
    await_true(lambda: not server.do("EXISTS", f"{KEYS}user:eva"))


def test_a_server_that_was_killed_is_found_again(server: RedisServer, store: SharedStore) -> None:
    put(store, "lukas", ONE)
    server.kill()
    assert "Connection refused" in refused(store)
    assert store.bindings("lukas") == [ONE]
    server.start()
    tend(store, lambda: not store.writing.error)
    tend(store, lambda: server.do("EXISTS", f"{KEYS}user:lukas"))
    put_in_the_end(store, "lukas", OTHER)


def test_flushall_is_filled_again_with_the_true_lifetimes(server: RedisServer, store: SharedStore) -> None:
    put(store, "lukas", ONE)
    put(store, "eva", OTHER)
    server.do("FLUSHALL")
    tend(store, lambda: server.do("EXISTS", f"{KEYS}user:lukas", f"{KEYS}user:eva") == 2)
    assert_lives(server, "eva", OTHER)
    with another(server) as other:
        tend(other, lambda: is_bound(other, "lukas", ONE) and is_bound(other, "eva", OTHER))


def test_a_refresh_right_after_flushall(server: RedisServer, store: SharedStore) -> None:
    put(store, "lukas", ONE)
    server.do("FLUSHALL")
    put_in_the_end(store, "lukas", ONE, OTHER)
    with another(server) as other:
        tend(other, lambda: is_bound(other, "lukas", ONE, OTHER))


def test_a_server_without_memory(server: RedisServer, store: SharedStore) -> None:
    put(store, "lukas", ONE)
    server.do("CONFIG", "SET", "maxmemory", "1")
    assert "out of memory (maxmemory)" in refused(store)
    assert store.writing.error == errno.ENOMEM
    await_true(lambda: not store.try_again() and store.writing.error == errno.ENOMEM)
    server.do("CONFIG", "SET", "maxmemory", "0")
    tend(store, lambda: not store.writing.error)
    put_in_the_end(store, "lukas", OTHER)


def test_a_server_that_became_a_replica(server: RedisServer, store: SharedStore) -> None:
    put(store, "lukas", ONE)
    server.do("REPLICAOF", "127.0.0.1", "1")
    assert "it is a replica" in refused(store)
    server.do("REPLICAOF", "NO", "ONE")
    tend(store, lambda: not store.writing.error)
    put_in_the_end(store, "lukas", OTHER)


def test_a_node_of_a_cluster_is_told_apart(tmp_path: Path) -> None:
    options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with redis_server(tmp_path / "node", *options) as node:
        node.do("CLUSTER", "ADDSLOTS", 1)
        with another(node) as store:
            assert "the cluster is down" in store.writing.note()


def test_a_name_that_nobody_knows_is_told() -> None:
    remote = RedisLocation(RedisUrl.parse("redis://nobody.invalid"), time.time).connect()
    with pytest.raises(RemoteError, match=r"redis://nobody\.invalid: .*(not known|resolution)"):
        remote.check()


def test_a_slow_server_is_waited_for(server: RedisServer, store: SharedStore) -> None:
    put(store, "lukas", ONE)
    server.do("CLIENT", "PAUSE", 300, "ALL")
    began = time.monotonic()
    put_in_the_end(store, "lukas", OTHER)
    assert time.monotonic() - began > 0.1
    assert not store.writing.error


def test_a_server_that_hangs_counts_as_away(server: RedisServer, store: SharedStore) -> None:
    put(store, "lukas", ONE)
    server.do("CLIENT", "PAUSE", int(TIMEOUT_S * 1500), "ALL")
    assert "no answer within" in refused(store)
    tend(store, lambda: not store.writing.error)
    put_in_the_end(store, "lukas", OTHER)


def test_who_does_not_wait_is_told_of_it_by_whom_he_lets_wait(server: RedisServer) -> None:
    """In a thread before there is a connection; at once; in a thread when the server hangs."""
    with closing(location_at(server).connect()) as remote:
        puts = [Put("lukas", ABSENT, b"1", 60.0)]
        first = remote.ask(puts, LONG_S)
        assert not isinstance(first, list)
        [found] = first()
        second = remote.ask([Put("lukas", found.kept.version, b"2", 60.0)], LONG_S)
        assert isinstance(second, list)
        server.hang()
        third = remote.ask([Put("lukas", second[0].kept.version, b"3", 60.0)], SHORT_S)
        server.go_on()
        assert not isinstance(third, list)
        [found] = third()
        assert (found.is_done, found.kept.record) == (True, b"3")


def test_who_does_not_wait_opens_no_connection(server: RedisServer) -> None:
    with closing(location_at(server).connect()) as remote:
        [found] = remote.put([Put("lukas", ABSENT, b"1", 60.0)])
        server.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        server.do("SCRIPT", "FLUSH")
        again = remote.ask([Put("lukas", found.kept.version, b"2", 60.0)], LONG_S)
        assert not isinstance(again, list)
        [found] = again()
        server.do("SCRIPT", "FLUSH")
        without_script = remote.ask([Put("lukas", found.kept.version, b"3", 60.0)], LONG_S)
        assert not isinstance(without_script, list)
        assert without_script()[0].is_done


def test_what_is_large_is_sent_by_who_may_wait(server: RedisServer) -> None:
    with closing(location_at(server).connect()) as remote:
        remote.check()
        remote.put([Put("eva", ABSENT, b"1", 60.0)])
        assert not isinstance(remote.ask([Put("lukas", ABSENT, b"1" * OCTETS_AT_ONCE, 60.0)], LONG_S), list)


@pytest.mark.parametrize(("ends", "told"), [(True, "Connection"), (False, "no answer within")])
def test_a_server_that_answers_half(server: RedisServer, ends: bool, told: str) -> None:
    """It has made the change, which is found out when everything is read again."""
    with half_way(server.port) as way:
        remote = RedisLocation(RedisUrl.parse(f"redis://127.0.0.1:{way.port}"), time.time).connect()
        with closing(remote):
            remote.put([Put("eva", ABSENT, b"", 60.0)])  # by now the server has the script
            way.left, way.ends = 5, ends
            with pytest.raises(RemoteError, match=told):
                remote.put([Put("lukas", ABSENT, b"record", 60.0)])
            way.left = NEVER
            await_true(lambda: server.do("EXISTS", f"{KEYS}user:lukas"))
            [kept] = [each for page in remote.load() for each in page if each.user == "lukas"]
            assert kept.record == b"record"
            [outcome] = remote.put([Put("lukas", kept.version, b"another", 60.0)])
            assert outcome.is_done


def test_keys_of_others_in_our_space_do_no_harm(server: RedisServer, store: SharedStore) -> None:
    server.do("SET", f"{KEYS}user:text", "hello")
    server.do("RPUSH", f"{KEYS}user:list", "hello")
    server.do("SET", f"{KEYS}user:junk", b"7:9999999999999:\xc1")
    server.do("SET", "{switchboard:9}:user:lukas", "hello")
    server.do("SET", "elsewhere", "hello")
    with another(server) as other:
        for user in ("text", "list", "junk"):
            assert other.bindings(user) == []
            put_in_the_end(other, user, ONE)
            tend(store, lambda user=user: is_bound(store, user, ONE))  # type: ignore[misc]
        tend(other, lambda: other.stats()["location.loads"])
        assert other.stats()["location.foreign"] >= 2


def test_a_state_that_is_none_of_ours_is_told(server: RedisServer) -> None:
    server.do("SET", f"{KEYS}state", "hello")
    with another(server) as store:
        assert "another prefix" in store.writing.note()


def test_a_later_schema_is_left_alone(server: RedisServer, store: SharedStore) -> None:
    put(store, "lukas", ONE)
    server.do("HSET", f"{KEYS}state", "schema", 2)
    assert "later program" in refused(store)
    with another(server) as other:
        assert "later program" in other.writing.note()
    server.do("HSET", f"{KEYS}state", "schema", 1)
    tend(store, lambda: not store.writing.error)


def test_a_log_that_was_cut_is_read_anew(server: RedisServer, store: SharedStore) -> None:
    with another(server) as other:
        loads = other.stats()["location.loads"]
        server.do("XTRIM", f"{KEYS}log", "MAXLEN", 0)
        put(store, "lukas", ONE)
        tend(other, lambda: is_bound(other, "lukas", ONE))
        tend(other, lambda: other.stats()["location.loads"] > loads)


def test_the_log_is_bounded(server: RedisServer) -> None:
    remote = location_at(server).connect()
    for each in range(ENTRIES_KEPT + 300):
        remote.put([Put(f"user{each}", ABSENT, b"", 1.0)])
    assert server.do("XLEN", f"{KEYS}log") < ENTRIES_KEPT + 200
    remote.close()


def test_scripts_that_the_server_has_forgotten_are_sent_again(
    server: RedisServer, store: SharedStore
) -> None:
    put(store, "lukas", ONE)
    server.do("SCRIPT", "FLUSH")
    put(store, "lukas", OTHER)


def test_two_switchboards_with_prefixes_of_their_own(server: RedisServer, store: SharedStore) -> None:
    put(store, "lukas", ONE)
    with closing(SharedStore(":memory:", location_at(server, "?prefix=other"), time.time)) as other:
        tend(other, lambda: other.stats()["location.loads"])
        assert other.bindings("lukas") == []
        put(other, "lukas", OTHER)
    assert store.bindings("lukas") == [ONE]


def test_a_user_of_an_acl_with_a_password_in_a_file(server: RedisServer, tmp_path: Path) -> None:
    rights = (
        "~{switchboard:*}:*",
        "+@connection",
        "+@read",
        "+@write",
        "+@scripting",
        "+wait",
        "+time",
        "+info",
    )
    server.do("ACL", "SETUSER", "sb", "on", ">s3cret", *rights)
    file = tmp_path / "password"
    file.write_text("s3cret\n")
    url = RedisUrl.parse(f"redis://sb@127.0.0.1:{server.port}")
    location = RedisLocation(url, time.time, file)
    with closing(SharedStore(":memory:", location, time.time)) as store:
        put_in_the_end(store, "lukas", ONE)
        file.write_text("wrong")
        server.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        note = refused(store)
        assert "the user or the password is wrong" in note
        assert "s3cret" not in note
    with closing(SharedStore(":memory:", location_at(server, ""), time.time)) as store:
        server.do("ACL", "SETUSER", "default", "-set")
        assert "may not" in refused(store)


def test_waiting_for_replicas(server: RedisServer, tmp_path: Path) -> None:
    remote = location_at(server, wait_replicas=1).connect()
    with pytest.raises(RemoteError, match="0 of its replicas"):
        remote.check()
    with pytest.raises(RemoteError, match="location_wait_replicas is 1"):
        remote.put([Put("lukas", ABSENT, b"", 60.0)])
    with redis_server(tmp_path / "replica", "--replicaof", "127.0.0.1", str(server.port)) as replica:
        await_true(lambda: replica.do("ROLE")[3] == b"connected")
        remote.check()
        [outcome] = remote.put([Put("eva", ABSENT, b"", 60.0)])
        assert outcome.is_done
        assert replica.do("EXISTS", f"{KEYS}user:eva")
    remote.close()


def test_what_may_lose_registrations_is_told(server: RedisServer) -> None:
    with closing(location_at(server).connect()) as remote:
        assert [found for found, _ in remote.doubts()] == [
            "without appendonly a restart of the server loses registrations"
        ]
        for option in (("maxmemory", "100mb"), ("maxmemory-policy", "allkeys-lru"), ("appendonly", "yes")):
            server.do("CONFIG", "SET", *option)
        assert [remedy for _, remedy in remote.doubts()] == ["set it to noeviction"]
        server.do("CONFIG", "SET", "maxmemory-policy", "noeviction")
        assert remote.doubts() == []
    late = RedisLocation(RedisUrl.parse(server.url), lambda: time.time() - 3600)
    with closing(late.connect()) as remote:
        [(found, _)] = remote.doubts()
        assert found == "its clock differs from ours by 3600 s"


def test_over_tls_with_an_authority_of_its_own(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    signer, key = new_key(), new_key()
    authority = make_authority(signer, "test", now)
    files = {"ca": authority, "key": key, "cert": issue(authority, signer, key, ["127.0.0.1"], now)}
    named = []
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        named += [f"--tls-{'ca-cert' if name == 'ca' else name}-file", str(tmp_path / name)]
    port = free_port()
    options = ("--tls-port", str(port), "--tls-auth-clients", "no")
    with redis_server(tmp_path / "redis", *options, *named):
        url = f"rediss://127.0.0.1:{port}"
        location = RedisLocation(RedisUrl.parse(f"{url}?ca={tmp_path / 'ca'}"), time.time)
        with closing(SharedStore(":memory:", location, time.time)) as store:
            put_in_the_end(store, "lukas", ONE)
        stranger = RedisLocation(RedisUrl.parse(url), time.time).connect()
        with pytest.raises(RemoteError, match="(?i)certificate"):
            stranger.check()
