"""What becomes of bindings whose connection has been closed."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registrar.registers import NOW_AT, SOURCE, connection

from switchboard.registrar import connections as module
from switchboard.registrar.binding import Binding
from switchboard.registrar.connections import MOST_WAITING, NAMED_AT_ONCE, USERS_AT_ONCE, Connections
from switchboard.registrar.sqlite import SqliteStore
from switchboard.registrar.user_table import pack_records, users_in
from switchboard.sip.flow import TCP, TLS, WS, WSS, Flow, connection_of
from switchboard.storage.unusable import NotWritten

HOST, PORT = SOURCE


def bound(serial: int, contact: str = "sip:a@x.invalid", transport: int = TCP) -> Binding:
    return Binding(contact, 1.0, NOW_AT + 60, flow=connection(serial, transport))


def stored(users: dict[str, list[Binding]]) -> SqliteStore:
    store = SqliteStore(":memory:")
    with store.batch():
        for user, bindings in users.items():
            store.put(user, bindings)
    return store


def settle(connections: Connections) -> list[int]:
    """Go on to the end; how many users each commit changed."""
    sizes = []
    while connections.is_waiting:
        sizes.append(len(connections.go_on(NOW_AT).records))
    return sizes


@pytest.mark.parametrize(
    ("contact", "transport", "left"),
    [
        ("sip:a@x.invalid;transport=ws", WS, None),
        (f"sip:a@{HOST}:5060;transport=ws", WSS, None),
        (f"sip:a@{HOST}:5060", WSS, None),
        ("sip:a@192.168.1.5:5060;transport=tcp", TCP, None),
        ("sip:a@127.0.0.1:5060;transport=tcp", TCP, None),
        ("sip:a@phone.test;transport=tcp", TCP, None),
        (f"sip:a@{HOST}:0;transport=tcp", TCP, None),
        ("mailto:a@b", TCP, None),
        (f"sip:a@{HOST}:5070;transport=tcp", TCP, Flow(TCP, "10.0.0.1", HOST, 5070).pack()),
        (f"sip:a@{HOST};transport=tcp", TCP, Flow(TCP, "10.0.0.1", HOST, 5060).pack()),
        (f"sip:a@{HOST}:5070", TLS, Flow(TLS, "10.0.0.1", HOST, 5070).pack()),
        (f"sip:a@{HOST}:5070;transport=udp", TCP, b""),
    ],
)
def test_only_who_can_be_reached_otherwise_stays(contact: str, transport: int, left: bytes | None) -> None:
    other = bound(2)
    store = stored({"lukas": [bound(1, contact, transport), other]})
    connections = Connections(store)
    assert connections.close(connection(1, transport))
    settle(connections)
    flows = [binding.flow for binding in store.bindings("lukas")]
    assert flows == ([other.flow] if left is None else [left, other.flow])
    assert (connections.dropped, connections.unconnected) == (left is None, left is not None)


def test_routers_hear_of_it() -> None:
    store = stored({"lukas": [bound(1)], "eva": [bound(2)]})
    connections = Connections(store)
    connections.close(connection(1))
    change = connections.go_on(NOW_AT)
    assert users_in(pack_records(change.records)) == {"lukas": []}
    assert change.number == store.number == 2


def test_a_connection_of_many_users_is_closed_in_slices() -> None:
    users = {f"u{number}": [bound(1), bound(2)] for number in range(2 * USERS_AT_ONCE + 5)}
    store = stored(users)
    connections = Connections(store)
    connections.close(connection(1))
    sizes = settle(connections)
    assert sum(sizes) == len(users)
    assert max(sizes) <= USERS_AT_ONCE
    assert all(store.bindings(user) == [bound(2)] for user in users)


def test_many_connections_are_closed_in_slices_and_strangers_cost_nothing() -> None:
    users = {f"u{number}": [bound(number)] for number in range(2 * USERS_AT_ONCE)}
    store = stored(users)
    connections = Connections(store)
    for number in range(5000):
        connections.close(connection(number))
    sizes = settle(connections)
    assert (sum(sizes), max(sizes)) == (len(users), USERS_AT_ONCE)
    assert len(store.table) == 0


def test_an_edge_stream_is_told_whose_its_connections_are() -> None:
    """In steps; what was not in the index is read from the table."""
    elsewhere = bound(7)._replace(flow=Flow(TCP, "10.0.0.1", HOST, PORT, connection_of(1, b"7" * 8)).pack())
    users = {f"u{number}": [bound(number)] for number in range(NAMED_AT_ONCE + 5)}
    connections = Connections(
        stored({**users, "else": [elsewhere], "udp": [Binding("sip:a@h", 1.0, NOW_AT + 60)]})
    )
    steps = list(connections.users_of(0))
    assert max(map(len, steps)) == NAMED_AT_ONCE
    named = [each for step in steps for each in step]
    assert {user: found for found, user in named} == {
        user: Flow.unpack(binding.flow).connection for user, (binding,) in users.items()
    }
    assert len(named) == len(users)
    assert [user for step in connections.users_of(1) for _, user in step] == ["else"]


def test_who_has_come_back_over_another_one_stays() -> None:
    store = stored({"lukas": [bound(1)]})
    connections = Connections(store)
    with store.batch():
        store.put("lukas", [bound(2)])
    connections.bound("lukas", connection(2))
    connections.close(connection(1))
    settle(connections)
    assert store.bindings("lukas") == [bound(2)]


def test_a_register_that_the_end_overtook_binds_nothing_for_long() -> None:
    store = stored({})
    connections = Connections(store)
    connections.close(connection(1))
    settle(connections)
    with store.batch():
        store.put("lukas", [bound(1)])
    connections.bound("lukas", connection(1))
    settle(connections)
    assert store.bindings("lukas") == []


def test_while_nothing_can_be_written_it_waits() -> None:
    store = stored({"lukas": [bound(1)]})
    connections = Connections(store)
    connections.close(connection(1))
    store.writing.failed(28)
    with pytest.raises(NotWritten):
        connections.go_on(NOW_AT)
    assert (connections.is_waiting, connections.dropped) == (True, 0)
    assert store.bindings("lukas") == [bound(1)]
    store.writing.worked()
    settle(connections)
    assert (store.bindings("lukas"), connections.dropped) == ([], 1)


def test_what_has_expired_goes_too() -> None:
    store = stored({"lukas": [bound(1)._replace(expires_at=NOW_AT), bound(1), bound(2)]})
    connections = Connections(store)
    connections.close(connection(1))
    settle(connections)
    assert store.bindings("lukas") == [bound(2)]


@pytest.mark.parametrize("flow", [b"", b"\2", b"\2\4abc", Flow(TCP, "", HOST, PORT).pack(), b"\1\0\0\0\0"])
def test_what_names_no_connection_closes_none(flow: bytes) -> None:
    connections = Connections(stored({}))
    assert not connections.close(flow)
    assert not connections.is_waiting


def test_no_more_wait_than_can_be_remembered() -> None:
    connections = Connections(stored({}))
    for number in range(MOST_WAITING + 3):
        connections.close(connection(number))
    assert connections.forgotten == 3
    assert settle(connections) == [0]


def test_the_index_is_bounded_where_ends_are_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLACK", 10)
    store = stored({"lukas": [bound(99)]})
    connections = Connections(store)
    for number in range(50):
        connections.bound("lukas", connection(number))
    connections.close(connection(99))
    settle(connections)
    assert len(connections._users) <= 12
    assert store.bindings("lukas") == []


steps = st.lists(
    st.tuples(st.sampled_from(["bind", "close"]), st.sampled_from("abc"), st.integers(1, 4)), max_size=30
)


@given(steps, st.booleans())
def test_after_all_nobody_is_bound_to_what_is_closed(
    drawn: Iterable[tuple[str, str, int]], at_once: bool
) -> None:
    store = stored({"a": [bound(1)]})
    connections = Connections(store)
    expected: dict[str, set[int]] = {"a": {1}, "b": set(), "c": set()}
    gone: set[int] = set()
    for act, user, serial in drawn:
        if act == "bind":
            expected[user].add(serial)
            with store.batch():
                store.put(user, [bound(each) for each in sorted(expected[user] - gone | {serial})])
            connections.bound(user, connection(serial))
        else:
            gone.add(serial)
            connections.close(connection(serial))
        if at_once:
            settle(connections)
    settle(connections)
    for user, serials in expected.items():
        assert {binding.flow for binding in store.bindings(user)} == {connection(n) for n in serials - gone}
