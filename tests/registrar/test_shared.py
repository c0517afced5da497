"""The store that several registrars share, over a location in memory (see `registrar/shared.py`)."""

import errno
import random
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from registrar.locations import HandLink, MemoryLocation, await_true, catch_up, hand_store, settle, tend
from registrar.registers import NOW_AT, Desk, register

from switchboard.registrar import shared
from switchboard.registrar.binding import Binding
from switchboard.registrar.remote import RemoteError
from switchboard.registrar.shared import SharedStore
from switchboard.registrar.sqlite import SqliteStore
from switchboard.registrar.store import Conflict
from switchboard.registrar.user_table import pack_records, users_in
from switchboard.sip.message import Message
from switchboard.storage.unusable import NotWritten

ONE = Binding("sip:lukas@10.0.0.9", 1.0, NOW_AT + 3600, call_id="call-1", cseq=1)
OTHER = Binding("sip:lukas@10.0.0.8", 1.0, NOW_AT + 1800, call_id="call-2", cseq=1)
AWAY = RemoteError("redis://far: Connection refused", errno.ECONNREFUSED)
INTERLEAVINGS = 10_000


def put(store: SqliteStore, user: str, *bindings: Binding) -> None:
    with store.batch():
        store.put(user, bindings)


def ends(store: SqliteStore, user: str = "lukas") -> list[float]:
    """What is left of the user's bindings by the test's clock, if `store` has it, too."""
    return [each.expires_at - NOW_AT for each in store.bindings(user)]


def test_what_one_registrar_binds_the_other_knows() -> None:
    location = MemoryLocation()
    one, other = hand_store(location), hand_store(location)
    put(one, "lukas", ONE)
    number = other.number
    catch_up(other)
    assert other.bindings("lukas") == [ONE]
    [change] = other.take_changes()
    assert (change.number, len(change.records)) == (number + 1, 1)
    catch_up(one)
    assert one.take_changes() == []


def test_who_is_late_learns_what_is_there_and_keeps_the_rest_of_the_batch() -> None:
    location = MemoryLocation()
    one, other = hand_store(location), hand_store(location)
    put(one, "lukas", ONE)

    def late() -> None:
        with other.batch():
            other.put("eva", [OTHER])
            other.put("lukas", [OTHER])

    with pytest.raises(Conflict) as caught:
        late()
    assert caught.value.users == {"lukas"}
    assert other.snapshot()[1] == {"eva": [OTHER], "lukas": [ONE]}
    [change] = other.take_changes()
    assert (change.number, len(change.records)) == (other.number, 2)
    put(other, "lukas", ONE, OTHER)
    catch_up(one)
    assert one.snapshot()[1] == {"eva": [OTHER], "lukas": [ONE, OTHER]}


@pytest.mark.parametrize("ahead_s", [-3600.0, 3600.0])
def test_a_clock_that_is_an_hour_off_changes_no_lifetime(ahead_s: float) -> None:
    location = MemoryLocation()
    wrong, right = hand_store(location, ahead_s), hand_store(location)
    put(right, "lukas", ONE)
    catch_up(wrong)
    assert ends(wrong) == [3600 + ahead_s]
    put(wrong, "eva", OTHER.moved(ahead_s))
    catch_up(right)
    assert ends(right, "eva") == [1800]


def test_when_the_servers_clock_is_set_lifetimes_stay() -> None:
    location = MemoryLocation()
    one, other = hand_store(location), hand_store(location)
    put(one, "lukas", ONE)
    catch_up(other)
    location.ahead_s = 1000.0
    catch_up(one)
    catch_up(other)
    late = hand_store(location)
    assert ends(one) == ends(other) == ends(late) == [3600]


def test_while_the_location_is_away_nothing_changes_and_what_is_known_is_known() -> None:
    location = MemoryLocation()
    store = hand_store(location)
    put(store, "lukas", ONE)
    location.fault = AWAY
    with pytest.raises(NotWritten):
        put(store, "lukas")
    assert store.bindings("lukas") == [ONE]
    assert "redis://far: Connection refused" in store.writing.note()
    with pytest.raises(NotWritten):
        put(store, "eva", OTHER)
    assert not store.try_again()
    location.fault = None
    catch_up(store)
    put(store, "eva", OTHER)
    assert store.snapshot()[1] == {"lukas": [ONE], "eva": [OTHER]}


def test_a_location_that_goes_away_is_noticed_before_anybody_registers() -> None:
    location = MemoryLocation()
    store = hand_store(location)
    location.fault = AWAY
    catch_up(store)
    store.go_on()
    assert store.writing.error == errno.ECONNREFUSED
    location.fault = None
    catch_up(store)
    assert not store.writing.error


class Absent(HandLink):
    """The location is away when the store starts."""

    def start(self, within_s: float) -> None:  # noqa: ARG002
        self.error = AWAY


def test_it_starts_while_the_location_is_away_with_what_it_knew() -> None:
    location = MemoryLocation()
    location.fault = AWAY

    store = SharedStore(":memory:", location, location.clock, Absent)
    assert store.writing.error == errno.ECONNREFUSED
    location.fault = None
    catch_up(store)
    put(store, "lukas", ONE)


def test_a_location_that_has_lost_everything_gets_it_back_with_the_true_lifetimes() -> None:
    location = MemoryLocation()
    one, other = hand_store(location), hand_store(location)
    put(one, "lukas", ONE)
    put(other, "eva", OTHER)
    put(one, "ended", OTHER._replace(expires_at=NOW_AT - 1))
    catch_up(one)
    location.lose_all()
    catch_up(one)
    assert set(location.users) == {"lukas", "eva"}
    late = hand_store(location)
    assert ends(late) == [3600]
    assert late.bindings("eva") == [OTHER]
    assert one.pushed == 2


def test_a_refresh_that_meets_an_empty_location_fills_it() -> None:
    location = MemoryLocation()
    store = hand_store(location)
    put(store, "lukas", ONE)
    location.lose_all()
    with pytest.raises(Conflict):
        put(store, "lukas", ONE, OTHER)
    assert store.bindings("lukas") == [ONE]
    put(store, "lukas", ONE, OTHER)
    assert hand_store(location).bindings("lukas") == [ONE, OTHER]


def test_a_location_that_has_gone_back_gets_what_it_has_lost() -> None:
    location = MemoryLocation()
    store, late = hand_store(location), hand_store(location)
    put(store, "lukas", ONE)
    earlier = dict(location.users)
    put(store, "lukas", ONE, OTHER)
    put(store, "eva", OTHER)
    location.lose_all()
    location.users = earlier
    catch_up(late)
    assert late.bindings("lukas") == [ONE]
    catch_up(store)
    catch_up(late)
    assert late.snapshot()[1] == {"lukas": [ONE, OTHER], "eva": [OTHER]}


def test_after_a_failover_an_old_cseq_is_out_of_order() -> None:
    location = MemoryLocation()
    desk = Desk(store=hand_store(location))
    desk.send(register("<sip:a@h>", cseq=5))
    earlier = dict(location.users)
    desk.send(register("<sip:a@h>", cseq=7))
    location.lose_all()
    location.users = earlier
    assert sent(desk, register("<sip:a@h>", cseq=6)).status == 500
    assert sent(desk, register("<sip:a@h>", cseq=8)).status == 200


def test_who_unbound_stays_unbound_for_who_was_away() -> None:
    location = MemoryLocation()
    one, other = hand_store(location), hand_store(location)
    put(one, "lukas", ONE)
    catch_up(other)
    put(one, "lukas")
    location.trim()
    catch_up(other)
    assert other.bindings("lukas") == []
    assert location.users["lukas"][1]


def test_a_log_that_was_cut_is_no_loss() -> None:
    location = MemoryLocation()
    one, other = hand_store(location), hand_store(location)
    put(one, "lukas", ONE)
    put(one, "eva", OTHER)
    location.trim()
    catch_up(other)
    assert other.snapshot()[1] == {"lukas": [ONE], "eva": [OTHER]}
    assert other._link.loads == 2


def test_an_answer_that_breaks_off_is_no_success_and_no_loss() -> None:
    location = MemoryLocation()
    store, other = hand_store(location), hand_store(location)
    location.is_half = True

    def put_three() -> None:
        with store.batch():
            for user in ("a", "b", "c"):
                store.put(user, [ONE])

    with pytest.raises(NotWritten):
        put_three()
    assert store.snapshot()[1] == {}
    location.is_half = False
    catch_up(store)
    catch_up(other)
    assert set(store.snapshot()[1]) == set(other.snapshot()[1]) == {"a", "b"}


@pytest.mark.parametrize("octets", [b"", b"\xc1", b"\x92\xa3eva\x90", b"\x92\xa5lukas\x91\x01", b"hello"])
def test_octets_that_are_no_record_of_the_user_are_written_over(octets: bytes) -> None:
    location = MemoryLocation()
    location.users["lukas"] = 5, octets, NOW_AT + 100
    store = hand_store(location)
    assert store.bindings("lukas") == []
    put(store, "lukas", ONE)
    assert hand_store(location).bindings("lukas") == [ONE]


def test_a_store_of_this_host_alone_goes_into_the_location() -> None:
    location = MemoryLocation()
    location.fault = AWAY

    store = SharedStore(":memory:", location, location.clock, Absent)
    store._keep([])
    SqliteStore.try_again(store)
    store._is_shared = False
    put(store, "lukas", ONE)
    store._is_shared = True
    location.fault = None
    catch_up(store)
    settle(store)
    assert hand_store(location).bindings("lukas") == [ONE]


def test_what_expires_is_removed_from_the_copies_only() -> None:
    location = MemoryLocation()
    store = hand_store(location)
    put(store, "lukas", ONE, OTHER)
    before = dict(location.users)
    with store.expiring():
        store.put("lukas", [])
    assert location.users == before
    with pytest.raises(Conflict):
        put(store, "lukas", OTHER)


def test_a_start_takes_over_only_what_the_copy_does_not_have(tmp_path: Path) -> None:
    location = MemoryLocation()
    path = tmp_path / "location.db"
    store = SharedStore(path, location, location.clock, HandLink)
    settle(store)
    put(store, "lukas", ONE)
    put(store, "eva", OTHER)
    put(store, "gone", OTHER)
    put(store, "gone")
    store.close()
    other = hand_store(location)
    put(other, "eva", OTHER, ONE)
    again = SharedStore(path, location, location.clock, HandLink)
    settle(again)
    assert [users_in(pack_records(change.records)) for change in again.take_changes()] == [
        {"eva": [OTHER, ONE]}
    ]
    put(again, "lukas", OTHER)
    put(again, "gone", OTHER)
    assert again.conflicts == 0
    again.close()


def test_versions_of_users_who_are_gone_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "SLACK", 10)
    location = MemoryLocation()
    store = hand_store(location)
    put(store, "lukas", ONE)
    for each in range(50):
        put(store, f"user{each}", ONE)
        put(store, f"user{each}")
    assert "lukas" in store._versions
    assert len(store._versions) <= 13
    with pytest.raises(Conflict):
        put(store, "user0", ONE)
    put(store, "user0", ONE)


def test_what_a_server_has_lost_as_it_went_away_is_put_back() -> None:
    """The change was confirmed, and the thread that follows had not seen it: no gap in the log tells of the loss."""
    location = MemoryLocation()
    with closing(SharedStore(":memory:", location, location.clock)) as store:
        tend(store, lambda: store._link.loads and not store.is_waiting)
        put(store, "lukas", ONE)
        location.fault = AWAY
        await_true(lambda: not store._link.is_up)
        with location.lock:
            location.users, location.log = {}, []
        location.fault = None
        tend(store, lambda: "lukas" in location.users)


def sent(desk: Desk, raw: bytes) -> Message:
    """The answer; the registrar looks at it again after each conflict."""
    while True:
        try:
            return desk.send(raw)
        except Conflict:
            continue


class Pair:
    """Two registrars who share a location, and one alone, to whom each change is told as it happens."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.location = MemoryLocation()
        self.stores = [hand_store(self.location) for _ in range(2)]
        self.desks = [Desk(store=store) for store in self.stores]
        self.alone = Desk()

    def begin(self, user: str) -> None:
        """The next phones are those of this user."""
        self.user = user
        self.cseqs = [count(self.chance.choice((1, 5))) for _ in range(2)]
        self.sent: list[bytes] = []

    def step(self) -> None:
        match self.chance.randrange(8):
            case 0:
                catch_up(self.chance.choice(self.stores))
            case 1 if self.sent:
                self.take(self.chance.choice(self.sent))
            case _:
                self.sent.append(self.wish(self.chance.randrange(2)))
                self.take(self.sent[-1])

    def wish(self, phone: int) -> bytes:
        contact = f"<sip:lukas@10.0.0.{phone}>{self.chance.choice(('', ';expires=0', ';expires=600'))}"
        star = self.chance.randrange(12) == 0
        return register(
            "*" if star else contact,
            user=self.user,
            call_id=f"call-{phone}",
            cseq=next(self.cseqs[phone]),
            extra="Expires: 0" if star else "",
        )

    def take(self, raw: bytes) -> None:
        desk = self.chance.choice(self.desks)
        before = self.location.version
        answer = sent(desk, raw)
        if self.location.version != before:
            assert self.alone.send(raw).status == answer.status == 200
            assert desk.bindings(self.user) == self.alone.bindings(self.user)

    def end(self) -> None:
        for store, desk in zip(self.stores, self.desks, strict=True):
            catch_up(store)
            assert desk.bindings(self.user) == self.alone.bindings(self.user)


def test_two_registrars_at_once_decide_as_one_would() -> None:
    pair = Pair(seed=15)
    for each in range(INTERLEAVINGS):
        pair.begin(f"user{each}")
        for _ in range(4):
            pair.step()
        pair.end()
    assert sum(store.conflicts for store in pair.stores) > INTERLEAVINGS / 10
