"""A router dies with its host, and another one goes on with what it has shipped."""

from typing import Any

import pytest
from playbook import EPOCH, LENKA, LENKA_TABLET, LUKAS, Board, Sent, request, response

from switchboard.codec import pack, unpack
from switchboard.core.call_rules import StaticRules, UserRules
from switchboard.core.router_core import RouterCore
from switchboard.core.saved_transaction import SavedTransaction
from switchboard.wal import shipping
from switchboard.wal.shipping import Copy, Head, ShippedLog, body_of, read_body

CALLEE = "sip:lenka@10.0.0.1"
LATER_S = 5_000.0
"""By how much the monotonic clock of the other host is ahead."""
PHONES = "sip:lenka@10.0.0.12:5060", "sip:lenka@10.0.0.22:5070"


class Shipping(Board):
    """A board that ships; `copy` is what the other one has of it."""

    def _make_core(self, log: Any, native: bool) -> RouterCore:
        if log is not self.log:
            return super()._make_core(log, native)
        self.shipped = ShippedLog(log)
        self.noted = 0
        if not hasattr(self, "copy"):
            self.copy = Copy()
        self.begun = False
        return super()._make_core(self.shipped, native)  # type: ignore[arg-type]

    def _step(self, step: Any) -> None:
        super()._step(step)
        self.ship()

    def ship(self, acknowledged: int = 0) -> bool:
        """Ship what is new; False: the other one misses something before it."""
        if not self.begun:
            self.shipped.begin()
            self.begun = True
        news = [pack([*event[:4], *event[4]]) for event in self.events[self.noted :]]
        self.noted = len(self.events)
        if news:
            self.shipped.note_events(news, self.noted)
        while True:
            batch = self.shipped.batch(self.now)
            head = Head(0, 1, str(self.lives), self.now, EPOCH + self.now, acknowledged)
            found = read_body(unpack(pack(body_of(head, batch))))
            assert found is not None
            self.shipped.shipped(batch)
            if not self.copy.take(*found, self.now + LATER_S, EPOCH + self.now):
                return False
            if not self.shipped.has_news:
                return True


@pytest.fixture
def first() -> Shipping:
    board = Shipping()
    board.bind("lenka", PHONES[0])
    return board


def take_over(first: Shipping, after_s: float = 3.0) -> Board:
    """The other router goes on, so long after the first one was heard of last."""
    other = Board(router=1, fragile=False)
    other.twin = None
    other.now = first.now + LATER_S + after_s
    other.bind("lenka", PHONES[0])
    units = [
        SavedTransaction(unpack(base, lists=False), unpack(state, lists=False)).moved(*moved)
        for base, state, *moved in first.copy.units(other.now)
    ]
    other._step(lambda core: core.take_in(units, *other._moment))
    return other


def ringing(first: Shipping) -> Sent:
    first.receive(request("INVITE", CALLEE), LUKAS)
    (invite,) = first.sent()
    first.receive(response(invite.message, 180), LENKA)
    assert 180 in first.statuses()
    return invite


def test_a_call_that_rings_is_answered(first: Shipping) -> None:
    invite = ringing(first)
    other = take_over(first)
    assert other.core.others_awaited() == {0}
    other.answers()
    other.receive(response(invite.message, 200), LENKA)
    assert other.statuses() == [200]
    assert other.kinds() == ["answered"]
    assert [unpack(event)[0] for event, _ in first.copy.events()] == ["invite", "ringing"]
    other.crash()
    other.receive(response(invite.message, 200), LENKA)
    assert other.statuses() == [200]
    assert other.core.others_awaited() == set()
    other.advance(70)
    assert not other.log


def test_a_provisional_response_that_may_be_lost_is_repeated(first: Shipping) -> None:
    ringing(first)
    assert take_over(first).statuses() == [180]
    first.advance(10)
    first.ship()
    assert take_over(first).statuses() == []


def test_a_call_that_rings_is_cancelled(first: Shipping) -> None:
    invite = ringing(first)
    other = take_over(first)
    other.answers()
    other.receive(request("CANCEL", CALLEE), LUKAS)
    assert other.statuses() == [200]
    (cancel,) = other.sent()
    assert cancel.line.startswith("CANCEL ")
    assert cancel.branch == invite.branch
    other.receive(response(invite.message, 487), LENKA)
    assert [each.line.split()[0] for each in other.sent()] == ["ACK"]
    assert other.statuses() == [487]
    assert other.events[-1].details == (487, "caller")


def test_a_repeated_invite_makes_no_second_call(first: Shipping) -> None:
    ringing(first)
    other = take_over(first)
    other.answers()
    other.receive(request("INVITE", CALLEE), LUKAS)
    assert other.statuses() == [180]
    assert not other.sent()


def test_timers_go_on_at_their_instants(first: Shipping) -> None:
    first.receive(request("INVITE", CALLEE), LUKAS)
    first.advance(4)
    first.ship()
    first.sent()
    other = take_over(first)
    assert not other.sent()
    other.advance(0.6)
    assert [each.line.split()[0] for each in other.sent()] == ["INVITE"]
    other.answers()
    other.advance(32 - 4 - 3 - 0.6 - 0.1)
    assert not other.statuses()
    other.advance(0.2)
    assert other.statuses() == [408]


def test_a_call_that_is_to_be_forwarded_goes_on_at_its_instant() -> None:
    first = Shipping(rules=StaticRules({"lenka": UserRules(no_answer="eva", after_s=10)}))
    first.bind("lenka", PHONES[0])
    ringing(first)
    other = take_over(first)
    other.bind("eva", "sip:eva@10.0.0.11:5060")
    other.advance(6.9)
    assert not other.sent()
    other.advance(0.2)
    assert sorted(each.line.split()[0] for each in other.sent()) == ["CANCEL", "INVITE"]
    assert other.kinds() == ["forwarded"]


def test_the_other_fork_is_cancelled(first: Shipping) -> None:
    first.bind("lenka", *PHONES)
    first.receive(request("INVITE", CALLEE), LUKAS)
    forks = first.sent()
    for fork, phone in zip(forks, (LENKA, LENKA_TABLET), strict=True):
        first.receive(response(fork.message, 180, tag=f"to-{phone[0]}"), phone)
    other = take_over(first)
    other.answers()
    other.receive(response(forks[0].message, 200), LENKA)
    (cancel,) = other.sent()
    assert (cancel.line.split()[0], cancel.to) == ("CANCEL", forks[1].to)
    assert other.statuses() == [200]


def test_a_cancel_of_ours_is_repeated(first: Shipping) -> None:
    ringing(first)
    first.receive(request("CANCEL", CALLEE), LUKAS)
    assert any(each.line.startswith("CANCEL ") for each in first.sent())
    other = take_over(first, after_s=0.1)
    other.advance(1)
    assert any(each.line.startswith("CANCEL ") for each in other.sent())


def test_what_is_over_is_let_go_of(first: Shipping) -> None:
    invite = ringing(first)
    first.receive(response(invite.message, 200), LENKA)
    assert len(first.copy) == 1
    first.advance(shipping.LINGER_S / 2)
    first.receive(response(invite.message, 200), LENKA)
    first.advance(shipping.LINGER_S)
    first.shipped.batch(first.now)
    first.ship()
    assert len(first.copy) == len(first.shipped) == 0


def test_what_phones_repeat_is_not_shipped(first: Shipping) -> None:
    first.receive(request("MESSAGE", CALLEE), LUKAS)
    assert first.sent()
    assert not first.copy.waiting
    assert len(first.copy) == 0


def test_a_batch_that_is_missing_is_noticed_and_everything_asked_for(first: Shipping) -> None:
    ringing(first)
    assert (len(first.copy), first.copy.waiting) == (1, 2)
    other = Copy()
    first.copy = other
    first.receive(request("INVITE", CALLEE, branch="z9hG4bKb", call_id="call-2"), LUKAS)
    assert len(other) == 0 or first.fragile
    first.begun = True
    first.shipped.begin([(1, b"\x90"), (2, b"\x90"), (3, b"\x90")])
    assert first.ship(acknowledged=1)
    assert (len(other), other.waiting) == (2, 2)


def test_there_are_bounds(first: Shipping, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "MOST_UNITS", 2)
    monkeypatch.setattr(shipping, "MOST_EVENTS", 3)
    monkeypatch.setattr(shipping, "UNITS_A_BATCH", 1)
    for number in range(4):
        first.receive(request("INVITE", CALLEE, branch=f"z9hG4bK{number}", call_id=f"call-{number}"), LUKAS)
    assert len(first.copy) == 2
    assert first.copy.waiting <= 3
    assert first.shipped.unshipped or first.fragile


@pytest.mark.parametrize("body", [None, [], [0] * 11, [0, 1, "a", 1.0, 1.0, 0, 0, [[1, 2]], [], 0, []]])
def test_what_is_no_batch_is_not_taken(body: Any) -> None:
    found = read_body(body)
    assert found is None or not found[1].units
