"""What is left to bindings after a start of the machine with a clock that cannot be believed."""

import errno
from pathlib import Path

import pytest

from switchboard.clock import GRACE_S, Doubt
from switchboard.registrar import grace
from switchboard.registrar.binding import Binding
from switchboard.registrar.grace import Grace
from switchboard.registrar.sqlite import SqliteStore
from switchboard.registrar.store import Change
from switchboard.storage.unusable import NotWritten

NOW_AT = 1_700_000_000.0
AHEAD, BEHIND = Doubt(3e7, NOW_AT, 0.0), Doubt(-3e7, NOW_AT, 0.0)
LEFT_S = {"anna": 2.0, "eva": 900.0, "lukas": 3600.0}


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    store = SqliteStore(tmp_path / "location.db")
    for user, left_s in LEFT_S.items():
        bind(store, user, left_s)
    return store


def bind(store: SqliteStore, user: str, left_s: float) -> None:
    with store.batch():
        store.put(user, [Binding(f"sip:{user}@h", 1.0, NOW_AT + left_s)])


def give(store: SqliteStore, doubt: Doubt, boot: str = "this") -> Grace:
    given = Grace(store, doubt, boot)
    while not given.is_over:
        given.go_on()
    return given


def left(store: SqliteStore) -> dict[str, float]:
    return {user: store.bindings(user)[0].expires_at - NOW_AT for user in LEFT_S}


def test_ahead_all_have_the_grace_and_no_more(store: SqliteStore) -> None:
    assert give(store, AHEAD).bindings == 3
    assert left(store) == dict.fromkeys(LEFT_S, GRACE_S)


def test_behind_all_have_the_grace_at_least(store: SqliteStore) -> None:
    assert give(store, BEHIND).bindings == 1
    assert left(store) == LEFT_S | {"anna": GRACE_S}


def test_it_is_given_once_a_boot(store: SqliteStore) -> None:
    give(store, AHEAD)
    bind(store, "eva", 3600.0)
    assert give(store, AHEAD).bindings == 0
    assert left(store)["eva"] == 3600.0
    assert give(store, AHEAD, "the next").bindings == 1


def test_who_is_killed_meanwhile_goes_on_and_leaves_what_is_newer(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grace, "USERS_AT_ONCE", 1)
    begun = Grace(store, AHEAD, "this")
    begun.go_on()
    assert not begun.is_over
    bind(store, "eva", 3000.0)
    store.close()
    successor = SqliteStore(tmp_path / "location.db")
    give(successor, AHEAD)
    assert left(successor) == {"anna": GRACE_S, "eva": 3000.0, "lukas": GRACE_S}
    successor.close()


def test_users_who_could_not_be_written_are_still_the_next(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Grace(store, AHEAD, "this")
    monkeypatch.setattr(store, "_write", fail)
    with pytest.raises(NotWritten):
        given.go_on()
    assert left(store) == LEFT_S
    monkeypatch.undo()
    assert store.try_again()
    given.go_on()
    assert (given.is_over, left(store)) == (True, dict.fromkeys(LEFT_S, GRACE_S))


def fail(_change: Change) -> None:
    raise OSError(errno.ENOSPC, "no space")


def test_an_empty_store_needs_none(tmp_path: Path) -> None:
    assert give(SqliteStore(tmp_path / "empty.db"), AHEAD).bindings == 0
