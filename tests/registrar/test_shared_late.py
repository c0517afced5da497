"""A shared store does not wait for a location that is slow, or hangs (see `registrar/shared.py`)."""

import errno
from collections.abc import Iterator
from contextlib import closing

import pytest
from registrar.locations import MemoryLocation, MemoryRemote, await_true, catch_up, hand_store, settle
from registrar.test_shared import AWAY, ONE, OTHER, put

from switchboard.registrar.shared import SharedStore
from switchboard.registrar.store import Late
from switchboard.storage.unusable import NotWritten

PATIENCE_S = 0.01


@pytest.fixture
def location() -> MemoryLocation:
    return MemoryLocation()


@pytest.fixture
def store(location: MemoryLocation) -> Iterator[SharedStore]:
    """One of whose puts the location says nothing yet."""
    with closing(hand_store(location, patience_s=PATIENCE_S)) as store:
        remote_of(store).answers.clear()
        yield store
        remote_of(store).answers.set()


def remote_of(store: SharedStore) -> MemoryRemote:
    assert isinstance(store._remote, MemoryRemote)
    return store._remote


def put_late(store: SharedStore, user: str) -> Late:
    with pytest.raises(Late) as caught:
        put(store, user, ONE)
    assert not caught.value.is_known
    return caught.value


def answer(store: SharedStore) -> None:
    """The location does what it was told, and says so."""
    remote_of(store).answers.set()
    await_true(lambda: store.is_waiting)
    settle(store)


def test_what_is_late_is_there_when_it_is_known(location: MemoryLocation, store: SharedStore) -> None:
    late = put_late(store, "lukas")
    assert (store.bindings("lukas"), store.is_waiting, store.writing.error) == ([], False, 0)
    answer(store)
    assert (late.is_known, late.users) == (True, set())
    assert store.bindings("lukas") == [ONE]
    [change] = store.take_changes()
    assert (change.number, len(change.records)) == (store.number, 1)
    assert hand_store(location).bindings("lukas") == [ONE]
    assert store.stats()["location.late"] == 1


def test_nothing_else_is_put_meanwhile(location: MemoryLocation, store: SharedStore) -> None:
    first, second = put_late(store, "lukas"), put_late(store, "eva")
    answer(store)
    assert first.users == set()
    assert (second.is_known, second.users) == (True, None)
    assert "eva" not in location.users


def test_who_was_late_and_not_the_first_learns_what_is_there(
    location: MemoryLocation, store: SharedStore
) -> None:
    other = hand_store(location)
    late = put_late(store, "lukas")
    put(other, "lukas", OTHER)
    answer(store)
    assert late.users == {"lukas"}
    assert store.bindings("lukas") == [OTHER]
    assert store.stats()["location.conflicts"] == 1


def test_what_others_have_changed_since_then_stays(location: MemoryLocation, store: SharedStore) -> None:
    put_late(store, "lukas")
    remote_of(store).answers.set()
    await_true(lambda: "lukas" in location.users)
    other = hand_store(location)
    put(other, "lukas", OTHER)
    catch_up(store)
    settle(store)
    await_true(lambda: not store.is_waiting)
    assert store.bindings("lukas") == [OTHER]


def test_a_location_that_goes_away_over_it(location: MemoryLocation, store: SharedStore) -> None:
    late = put_late(store, "lukas")
    location.fault = AWAY
    answer(store)
    assert (late.is_known, late.users) == (True, None)
    assert store.writing.error == errno.ECONNREFUSED
    location.fault = None
    catch_up(store)
    assert not store.writing.error


def test_who_has_waited_for_long_enough_gives_up(store: SharedStore) -> None:
    late = put_late(store, "lukas")
    store.give_up()
    assert (late.is_known, store.writing.error) == (False, errno.ETIMEDOUT)
    with pytest.raises(NotWritten, match="does not answer"):
        put(store, "eva", ONE)
    answer(store)
    catch_up(store)
    assert (store.bindings("lukas"), store.writing.error) == ([ONE], 0)


def test_what_the_location_has_lost_is_put_back_without_waiting(
    location: MemoryLocation, store: SharedStore
) -> None:
    put_late(store, "lukas")
    answer(store)
    location.lose_all()
    remote_of(store).answers.clear()
    catch_up(store)
    assert (location.users, store.is_waiting) == ({}, False)
    answer(store)
    assert "lukas" in location.users
    assert store.stats()["location.pushed"] == 1


def test_what_is_answered_at_once_needs_no_thread(
    location: MemoryLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(hand_store(location, patience_s=PATIENCE_S)) as store:
        remote_of(store).is_quick = True
        monkeypatch.setattr(store._executor, "submit", pytest.fail)
        put(store, "lukas", ONE)
        assert (store.bindings("lukas"), store.stats()["location.late"]) == ([ONE], 0)
    assert hand_store(location).bindings("lukas") == [ONE]
