"""Locations on servers that take over from each other: Sentinel and Cluster, real ones."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from redis_server import RedisServer, free_port, redis_server
from registrar.locations import await_true, tend, tend_once
from registrar.test_redis_location import ONE, OTHER, put, put_in_the_end

from switchboard.registrar.binding import Binding
from switchboard.registrar.redis_location import RedisLocation
from switchboard.registrar.redis_url import CLUSTER_SHARDS, RedisUrl
from switchboard.registrar.shared import SharedStore
from switchboard.storage.unusable import NotWritten

DOWN_AFTER_MS = 1000
SENTINELS = 3
NODES = 3
SLOTS = 16384
TAKE_OVER_S = 90.0
"""A Sentinel that had no processor for two seconds does nothing for 30."""
BACK_WITHIN_S = 10.0
"""Once all Sentinels tell of the new server."""


def store_at(url: str, wait_replicas: int = 0) -> "closing[SharedStore]":
    location = RedisLocation(RedisUrl.parse(url), time.time, wait_replicas=wait_replicas)
    return closing(SharedStore(":memory:", location, time.time))


@contextmanager
def watched(directory: Path) -> Iterator[tuple[RedisServer, RedisServer, list[RedisServer]]]:
    """A server, its replica, and their Sentinels."""
    with ExitStack() as stack:
        server = stack.enter_context(redis_server(directory / "one"))
        of_it = ("--replicaof", "127.0.0.1", str(server.port))
        replica = stack.enter_context(redis_server(directory / "two", *of_it))
        sentinels = []
        for each in range(SENTINELS):
            place = directory / f"sentinel{each}"
            place.mkdir()
            file = place / "sentinel.conf"
            file.write_text(
                f"sentinel monitor sb 127.0.0.1 {server.port} 2\n"
                f"sentinel down-after-milliseconds sb {DOWN_AFTER_MS}\n"
                "sentinel failover-timeout sb 5000\n"
            )
            sentinels.append(stack.enter_context(redis_server(place, sentinel=file)))
        await_true(lambda: replica.do("ROLE")[3] == b"connected", TAKE_OVER_S)
        await_true(lambda: all(map(knows_all, sentinels)), TAKE_OVER_S)
        yield server, replica, sentinels


def knows_all(sentinel: RedisServer) -> bool:
    """Whether it knows the replica and the other Sentinels."""
    with sentinel.client as client:
        found = client.sentinel_master("sb")
    return bool((found["num-slaves"], found["num-other-sentinels"]) == (1, SENTINELS - 1))


def told_master(sentinel: RedisServer) -> int:
    """The port of the server that it sends people to."""
    with sentinel.client as client:
        port: int = client.sentinel_get_master_addr_by_name("sb")[1]
    return port


def test_when_a_replica_takes_over_nobody_is_lost_and_registers_go_on(tmp_path: Path) -> None:
    """Also who was bound while the replica was not connected: the registrar puts that back."""
    with watched(tmp_path) as (server, replica, sentinels), ExitStack() as stack:
        url = f"redis+sentinel://{','.join(f'127.0.0.1:{each.port}' for each in sentinels)}/sb"
        store = stack.enter_context(store_at(url, wait_replicas=0))
        tend(store, lambda: not store.writing.error)
        server.do("CLIENT", "KILL", "TYPE", "replica")
        put(store, "lukas", ONE)
        server.kill()
        await_true(lambda: all(told_master(each) == replica.port for each in sentinels), TAKE_OVER_S)
        since = time.monotonic()
        tend(store, lambda: takes(store, "eva", OTHER), TAKE_OVER_S)
        assert time.monotonic() - since < BACK_WITHIN_S
        with store_at(url) as other:

            def has_both() -> bool:
                tend_once(store)
                return (other.bindings("lukas"), other.bindings("eva")) == ([ONE], [OTHER])

            tend(other, has_both)


def takes(store: SharedStore, user: str, *bindings: Binding) -> bool:
    """Whether it takes this change."""
    if store.writing.error:
        return False
    try:
        put_in_the_end(store, user, *bindings)
    except NotWritten:
        return False
    return True


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[list[RedisServer]]:
    """Three nodes, which share the slots."""
    with ExitStack() as stack:
        nodes, buses = [], [free_port() for _ in range(NODES)]
        for each in range(NODES):
            options = ("--cluster-enabled", "yes", "--cluster-port", str(buses[each]))
            nodes.append(stack.enter_context(redis_server(tmp_path / f"node{each}", *options)))
        for each, node in enumerate(nodes):
            node.do("CLUSTER", "ADDSLOTSRANGE", SLOTS * each // NODES, SLOTS * (each + 1) // NODES - 1)
            node.do("CLUSTER", "SET-CONFIG-EPOCH", each + 1)
        for node, bus in zip(nodes[1:], buses[1:], strict=True):
            nodes[0].do("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
        await_true(lambda: all(b"cluster_state:ok" in state(node) for node in nodes), TAKE_OVER_S)
        yield nodes


def state(node: RedisServer) -> bytes:
    found: bytes = node.do("CLUSTER", "INFO")
    return found if isinstance(found, bytes) else str(found).encode()


def test_a_cluster_keeps_all_of_a_user_on_one_node(cluster: list[RedisServer]) -> None:
    url = f"redis+cluster://127.0.0.1:{cluster[0].port}"
    with store_at(url) as store, store_at(url) as other:
        with store.batch():
            for each in range(200):
                store.put(f"user{each}", [ONE])
        assert all(node.do("DBSIZE") > 10 for node in cluster)
        tend(other, lambda: other.count() == (200, 200))
        put_in_the_end(other, "user7", ONE, OTHER)
        tend(store, lambda: store.bindings("user7") == [ONE, OTHER])
        assert sum(node.do("DBSIZE") for node in cluster) <= 200 + 3 * CLUSTER_SHARDS


def test_each_node_of_a_cluster_is_waited_for(cluster: list[RedisServer]) -> None:
    with store_at(f"redis+cluster://127.0.0.1:{cluster[0].port}", wait_replicas=1) as store:
        assert "0 of its replicas have a change" in store.writing.note()


def test_when_a_slot_moves_registers_go_on(cluster: list[RedisServer]) -> None:
    url = f"redis+cluster://127.0.0.1:{cluster[0].port}"
    with store_at(url) as store:
        put(store, "lukas", ONE)
        [holder] = [node for node in cluster if node.do("KEYS", "*user:lukas")]
        [key] = holder.do("KEYS", "*user:lukas")
        slot = holder.do("CLUSTER", "KEYSLOT", key)
        target = next(node for node in cluster if node is not holder)
        ids = {node: node.do("CLUSTER", "MYID").decode() for node in (holder, target)}
        target.do("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[holder])
        holder.do("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
        keys = holder.do("CLUSTER", "GETKEYSINSLOT", slot, 100)
        holder.do("MIGRATE", "127.0.0.1", target.port, "", 0, 2000, "KEYS", *keys)
        tend(store, lambda: takes(store, "lukas", OTHER), TAKE_OVER_S)  # the holder says ASK
        assert target.do("CLUSTER", "COUNTKEYSINSLOT", slot) == len(keys)
        for node in (target, holder):
            node.do("CLUSTER", "SETSLOT", slot, "NODE", ids[target])
        tend(store, lambda: takes(store, "lukas", ONE, OTHER), TAKE_OVER_S)
        assert target.do("EXISTS", key)
