"""How replicas follow the registrar, in whatever order snapshots, pages and changes come."""

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storage.damage import KINDS, overwrite, pages_of

from switchboard.registrar.binding import Binding
from switchboard.registrar.follower import ASK_AGAIN_S, OCTETS_AT_ONCE, SILENT_S, PageFollower, StoreFollower
from switchboard.registrar.replica import Replica
from switchboard.registrar.sqlite import SqliteStore
from switchboard.registrar.store import Change, Snapshot

USERS = ["anna", "eva", "lenka", "lukas", "peter"]


def bound(contact: str) -> Binding:
    return Binding(contact, 1.0, 2e9)


class MemoryCopy:
    """As BindingsCopy, without a file."""

    def __init__(self, kept: Snapshot | None = None) -> None:
        self.kept = kept

    def load(self) -> Snapshot | None:
        return self.kept

    def add(self, users: Mapping[str, Sequence[Binding]]) -> None:
        self.put(self.kept[0] if self.kept else 0, users)

    def settle(self, number: int, has: Callable[[str], bool]) -> None:
        self.put(number, {user: [] for user in (self.kept or (0, {}))[1] if not has(user)})

    def put(self, number: int, users: Mapping[str, Sequence[Binding]]) -> None:
        known = self.kept[1] if self.kept else {}
        all_users = known | {user: list(bindings) for user, bindings in users.items()}
        self.kept = number, {user: bindings for user, bindings in all_users.items() if bindings}


class Remote:
    """A follower on another host than the store's; `asked` is what it wants to know now."""

    def __init__(self, copy: MemoryCopy | None = None) -> None:
        self.store = SqliteStore(":memory:")
        self.replica = Replica()
        self.copy = copy or MemoryCopy()
        self.asked: list[str] = []
        self.clock = 1e9
        self.follower = PageFollower(self.replica, self.copy, self.asked.append, lambda: self.clock)

    def bind(self, user: str, *contacts: str) -> tuple[int, bytes, int]:
        """Change the store; return the `location.changed` that says so."""
        with self.store.batch() as change:
            self.store.put(user, [bound(contact) for contact in contacts])
        body = change.pack()
        number, start = Change.split(body)
        return number, body, start

    def answer_once(self, at_most: int) -> None:
        """The same, if there is a question."""
        if self.asked:
            self.answer(at_most)

    def answer(self, at_most: int = 2, now: float = 0.0) -> None:
        """The registrar answers the last question."""
        self.follower.take_page(self.store.page(self.asked.pop(), at_most).to_wire(), now)

    def answer_all(self) -> None:
        while self.asked:
            self.answer()

    def assert_same(self) -> None:
        assert self.replica.snapshot() == self.store.snapshot()
        assert self.copy.kept == self.store.snapshot()


@pytest.fixture
def remote() -> Remote:
    return Remote()


def test_pages_make_a_snapshot(remote: Remote) -> None:
    for user in USERS:
        remote.bind(user, f"sip:{user}@h")
    remote.follower.start(0.0)
    assert not remote.replica.is_loaded
    assert remote.follower.notes(0.0) == [
        "no bindings yet: the registrar has not answered, and there is no copy"
    ]
    remote.answer_all()
    remote.assert_same()
    assert remote.follower.notes(0.0) == []
    assert remote.follower.next_deadline() is None
    assert remote.follower.snapshots == 1


def test_an_empty_store_is_a_snapshot_too(remote: Remote) -> None:
    remote.follower.start(0.0)
    remote.answer_all()
    assert remote.replica.is_loaded
    remote.assert_same()


def test_changes_between_pages_are_not_lost(remote: Remote) -> None:
    for user in USERS:
        remote.bind(user, f"sip:{user}@h")
    remote.follower.start(0.0)
    remote.answer()
    remote.follower.changed(*remote.bind("anna", "sip:anna@new"), 0.0)
    remote.follower.changed(*remote.bind("zoe", "sip:zoe@h"), 0.0)
    remote.answer_all()
    remote.assert_same()


def test_a_gap_asks_for_all_anew(remote: Remote) -> None:
    remote.follower.start(0.0)
    remote.answer_all()
    remote.bind("anna", "sip:missed@h")
    remote.follower.changed(*remote.bind("eva", "sip:eva@h"), 0.0)
    assert remote.asked == [""]
    remote.answer_all()
    remote.assert_same()
    remote.bind("eva")
    remote.follower.told(remote.store.number, 0.0)
    remote.answer_all()
    remote.assert_same()


def test_what_is_not_answered_is_asked_again(remote: Remote) -> None:
    for user in USERS:
        remote.bind(user, f"sip:{user}@h")
    remote.follower.start(0.0)
    remote.answer(now=0.1)
    assert remote.asked == ["eva"]
    assert remote.follower.next_deadline() == 0.1 + ASK_AGAIN_S
    remote.follower.handle_timer(0.5)
    assert remote.asked == ["eva"]
    remote.follower.handle_timer(0.1 + ASK_AGAIN_S)
    assert remote.asked == ["eva", "eva"]
    remote.answer_all()
    remote.assert_same()


def test_a_page_that_nobody_waits_for_is_passed_over(remote: Remote) -> None:
    remote.bind("anna", "sip:anna@h")
    page = remote.store.page("", 5).to_wire()
    remote.follower.start(0.0)
    remote.answer_all()
    remote.bind("anna")
    remote.follower.take_page(page, 0.0)
    assert len(remote.replica.lookup("anna", 0.0)) == 1


def test_a_page_of_an_earlier_round_is_passed_over(remote: Remote) -> None:
    """It may be older than the first page of this one, and then a change is in neither."""
    for user in USERS:
        remote.bind(user, f"sip:{user}@h")
    old = remote.store.page("eva", 2).to_wire()
    remote.bind("lenka", "sip:lenka@new")
    remote.follower.start(0.0)
    remote.answer()
    remote.follower.take_page(old, 0.0)
    assert remote.asked == ["eva"]
    remote.answer_all()
    remote.assert_same()


def test_ends_of_bindings_are_brought_to_this_hosts_clock(remote: Remote) -> None:
    """The registrar's host shows 5.5 h more."""
    end = bound("").expires_at
    remote.bind("anna", "sip:a@h")
    remote.follower.start(0.0)
    remote.answer_all()
    remote.follower.told_clock(remote.clock + 0.9, 1.0)
    assert not remote.asked, "so much is none"
    remote.follower.told_clock(remote.clock + 19_800, 1.0)
    remote.answer_all()
    remote.follower.changed(*remote.bind("eva", "sip:e@h"), 2.0)
    for user in ("anna", "eva"):
        (binding,) = remote.replica.lookup(user, 0.0)
        assert binding.expires_at == end - 19_800
    assert remote.copy.kept == remote.replica.snapshot()
    remote.follower.told_clock(remote.clock + 19_800.5, 3.0)
    assert not remote.asked
    remote.follower.told_clock(remote.clock + 0.5, 4.0)
    remote.answer_all()
    remote.assert_same()


def test_it_is_current_when_it_has_all_pages_and_hears_the_registrar(remote: Remote) -> None:
    remote.bind("anna", "sip:a@h")
    remote.follower.start(0.0)
    remote.follower.told(remote.store.number, 0.0)
    assert not remote.follower.is_current
    remote.answer_all()
    assert remote.follower.is_current


def test_the_copy_serves_until_the_registrar_answers() -> None:
    remote = Remote(MemoryCopy((3, {"lukas": [bound("sip:lukas@old")]})))
    remote.follower.start(0.0)
    assert [each.contact for each in remote.replica.lookup("lukas", 0.0)] == ["sip:lukas@old"]
    (note,) = remote.follower.notes(SILENT_S)
    assert note == "nothing heard from the registrar for 3 s; bindings are those of its own copy"
    remote.bind("lukas", "sip:lukas@new")
    remote.answer_all()
    remote.assert_same()
    (note,) = remote.follower.notes(2 * SILENT_S)
    assert note == "nothing heard from the registrar for 6 s; bindings are those of memory"


@given(st.integers(0, 2**32))
def test_whatever_order(seed: int) -> None:
    """Changes, pages, questions and losses at random; in the end a number, and all is the same."""
    chance = random.Random(seed)
    remote = Remote()
    remote.follower.start(0.0)
    deeds: list[Callable[[], object]] = [
        lambda: remote.bind(chance.choice(USERS), "sip:lost@h"),
        lambda: remote.follower.changed(*remote.bind(chance.choice(USERS), f"sip:{seed}@h"), 0.0),
        lambda: remote.answer_once(chance.randint(1, 3)),
        lambda: remote.follower.told(remote.store.number, 0.0),
        lambda: remote.asked.clear(),
    ]
    for _ in range(30):
        chance.choice(deeds)()
    for now in (10.0, 20.0):
        remote.follower.handle_timer(now)
        remote.answer_all()
        remote.follower.told(remote.store.number, now)
    remote.answer_all()
    remote.assert_same()


def test_where_the_store_is_at_hand_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "location.db"
    store = SqliteStore(path)

    def bind(contact: str) -> tuple[int, bytes, int]:
        with store.batch() as change:
            store.put("anna", [bound(contact)])
        body = change.pack()
        number, start = Change.split(body)
        return number, body, start

    bind("sip:first@h")
    replica = Replica()
    follower = StoreFollower(replica, path)
    follower.start(0.0)
    assert replica.snapshot() == store.snapshot()
    follower.changed(*bind("sip:second@h"), 1.0)
    assert (replica.snapshot(), follower.snapshots) == (store.snapshot(), 1)
    bind("sip:missed@h")
    follower.changed(*bind("sip:third@h"), 2.0)
    assert follower.next_deadline() == 0.0
    follower.handle_timer(2.0)
    assert (replica.snapshot(), follower.snapshots) == (store.snapshot(), 2)
    bind("sip:missed@h")
    assert not follower.is_current
    follower.told(store.number, 3.0)
    assert not follower.is_current
    follower.handle_timer(3.0)
    assert (follower.is_current, follower.next_deadline()) == (True, None)
    assert (replica.snapshot(), follower.snapshots) == (store.snapshot(), 3)
    assert follower.notes(3.0 + SILENT_S) == [
        "nothing heard from the registrar for 3 s; bindings are those of its store"
    ]
    store.close()


def test_of_a_damaged_store_it_takes_what_can_be_read_until_that_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "location.db"
    store = SqliteStore(path)
    for number in range(100):
        with store.batch():
            store.put(f"user{number}", [bound("sip:" + "x" * 500)])
    store.close()
    overwrite(path, pages_of(path) // 2, KINDS["rubbish"])
    replica = Replica()
    follower = StoreFollower(replica, path)
    follower.start(0.0)
    assert 80 <= len(replica.users()) < 100
    assert "are those of memory" in follower.notes(0.0)[0]
    mended = SqliteStore(path)
    follower.told(mended.number, 1.0)
    follower.handle_timer(1.0)
    assert (replica.snapshot(), follower.notes(1.0)) == (mended.snapshot(), [])
    mended.close()


def test_a_large_store_is_read_in_slices_while_what_is_known_serves(tmp_path: Path) -> None:
    path = tmp_path / "location.db"
    store = SqliteStore(path)
    long = bound("sip:" + "x" * 2000)

    def bind(user: str, binding: Binding = long) -> tuple[int, bytes, int]:
        with store.batch() as change:
            store.put(user, [binding])
        body = change.pack()
        number, start = Change.split(body)
        return number, body, start

    replica = Replica()
    follower = StoreFollower(replica, path)
    bind("anna", bound("sip:old@h"))
    follower.start(0.0)
    for number in range(3 * OCTETS_AT_ONCE // 2000):
        bind(f"user{number}")
    bind("anna", bound("sip:new@h"))
    follower.changed(*bind("missed"), 0.0)
    slices = 0
    while follower.next_deadline() is not None:
        assert [each.contact for each in replica.lookup("anna", 0.0)] == ["sip:old@h"]
        follower.changed(*bind(f"later{slices}"), 0.0)
        follower.told(store.number, 0.0)
        follower.handle_timer(0.0)
        slices += 1
    assert (slices, follower.snapshots, follower.is_current) == (4, 2, True)
    assert replica.snapshot() == store.snapshot()
    store.close()
