"""Registrations that are copied from one location to another (`registrar/moving.py`)."""

from contextlib import closing

from registrar.locations import FromAfar, MemoryLocation, hand_store
from registrar.registers import NOW_AT

from switchboard.registrar.binding import Binding
from switchboard.registrar.moving import Copied, Known, from_remote, into_file, into_remote
from switchboard.registrar.remote import ABSENT, Put
from switchboard.registrar.sqlite import SqliteStore

ONE = Binding("sip:lukas@10.0.0.9", 1.0, NOW_AT + 3600, call_id="call-1", cseq=1)
OTHER = Binding("sip:lukas@10.0.0.8", 1.0, NOW_AT + 1800, call_id="call-2", cseq=1)
SEVERAL = 150


def fill(location: MemoryLocation, **users: list[Binding]) -> None:
    """As a registrar there does."""
    with closing(hand_store(location)) as store, store.batch():
        for user, bindings in users.items():
            store.put(user, bindings)


def copy(source: MemoryLocation, target: MemoryLocation) -> Copied:
    users, damaged = from_remote(source.connect())
    remote = target.connect()
    remote.check()
    return sum(into_remote(users, remote, NOW_AT), Copied(damaged, damaged=damaged))


def found_in(location: MemoryLocation) -> dict[str, list[Binding]]:
    """By the clock of the tests."""
    return {each.user: list(each.bindings) for each in from_remote(location.connect())[0] if each.bindings}


def test_all_users_are_copied_once() -> None:
    source, target = MemoryLocation(), MemoryLocation()
    fill(source, **{f"user{each}": [ONE, OTHER] for each in range(SEVERAL)})
    assert copy(source, target) == Copied(SEVERAL, SEVERAL)
    assert found_in(target) == found_in(source)
    assert copy(source, target) == Copied(SEVERAL, 0, SEVERAL)


def test_the_later_one_stays() -> None:
    source, target = MemoryLocation(), MemoryLocation()
    fill(source, early=[ONE])
    fill(target, late=[OTHER], early=[OTHER])
    fill(source, late=[ONE])
    target.users = {user: (1, *rest) for user, (_, *rest) in target.users.items()}  # type: ignore[misc]
    target.users["early"] = (source.users["early"][0] + 5, *target.users["early"][1:])
    assert copy(source, target) == Copied(2, 1, 1)
    assert found_in(target) == {"late": [ONE], "early": [OTHER]}


def test_lifetimes_are_true_though_the_servers_clocks_differ() -> None:
    source, target = MemoryLocation(ahead_s=3600.0), MemoryLocation(ahead_s=-1800.0)
    fill(source, lukas=[ONE])
    assert copy(source, target) == Copied(1, 1)
    assert found_in(target) == {"lukas": [ONE]}
    assert copy(source, target).copied == 0


def test_who_is_unbound_later_is_unbound_there() -> None:
    source, target = MemoryLocation(), MemoryLocation()
    fill(source, lukas=[ONE])
    copy(source, target)
    target.users["lukas"] = (1, *target.users["lukas"][1:])
    with closing(hand_store(source)) as store, store.batch():
        store.put("lukas", [])
    assert copy(source, target) == Copied(1, 1)
    assert found_in(target) == {}


def test_a_change_that_comes_meanwhile_stays() -> None:
    source, target = MemoryLocation(), MemoryLocation()
    fill(source, lukas=[ONE])
    fill(target, lukas=[OTHER])
    target.users["lukas"] = (1, *target.users["lukas"][1:])
    users, _ = from_remote(source.connect())
    remote = target.connect()
    put, calls = remote.put, []

    def meanwhile(puts: list[Put]) -> object:
        calls.append(puts)
        if len(calls) == 2:  # a REGISTER between the look and the change
            fill(target, lukas=[OTHER, ONE])
        return put(puts)

    remote.put = meanwhile  # type: ignore[method-assign, assignment]
    assert list(into_remote(users, remote, NOW_AT)) == [Copied(1, 0, 1)]
    assert found_in(target) == {"lukas": [OTHER, ONE]}


def test_what_is_no_record_is_left_out_and_written_over() -> None:
    source, target = MemoryLocation(), MemoryLocation()
    fill(source, lukas=[ONE])
    source.connect().put([Put("junk", ABSENT, b"\xc1", 60.0)])
    target.connect().put([Put("lukas", ABSENT, b"\xc1", 60.0)])
    assert copy(source, target) == Copied(2, 1, 0, 1)
    assert found_in(target) == {"lukas": [ONE]}


def test_what_has_expired_is_not_copied() -> None:
    target = MemoryLocation()
    gone = Known("gone", 0, [ONE._replace(expires_at=NOW_AT - 1)])
    assert list(into_remote([gone], target.connect(), NOW_AT)) == [Copied(1, 0, 1)]
    assert target.users == {}


def test_into_a_file_and_back() -> None:
    source, target = MemoryLocation(), MemoryLocation()
    fill(source, lukas=[ONE, OTHER], eva=[OTHER])
    users, _ = from_remote(FromAfar(source, 0.0).connect())
    with closing(SqliteStore(":memory:")) as store:
        assert sum(into_file(users, store, NOW_AT), Copied()) == Copied(2, 2)
        assert sum(into_file(users, store, NOW_AT), Copied()) == Copied(2, 0, 2)
        held = store.snapshot()[1]
    assert held == {"lukas": [ONE, OTHER], "eva": [OTHER]}
    again = [Known(user, 0, bindings) for user, bindings in held.items()]
    assert sum(into_remote(again, target.connect(), NOW_AT), Copied()) == Copied(2, 2)
    assert found_in(target) == held
    longer = [Known("eva", 0, [OTHER.moved(600.0)]), Known("lukas", 0, [OTHER])]
    assert sum(into_remote(longer, target.connect(), NOW_AT), Copied()) == Copied(2, 1, 1)
