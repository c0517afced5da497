import pytest
from cdr.scripts import T0, answered, failed, invite, ringing

from switchboard.cdr.call import Call
from switchboard.cdr.waits import CHALLENGE_S, GRACE_S, INVITE_S, Waits

MAX_CALL_S = 43_200.0


@pytest.fixture
def waits() -> Waits:
    return Waits(MAX_CALL_S)


def call(call_id: str = "c", at: float = 0.0) -> Call:
    return Call.begin(invite(at, call_id))


def test_nothing_to_wait_for(waits: Waits) -> None:
    assert waits.next_deadline_at() is None
    assert list(waits.due(T0)) == []


def test_each_phase_has_its_wait(waits: Waits) -> None:
    one = call()
    waits.set(one, T0)
    assert waits.next_deadline_at() == T0 + INVITE_S
    one.ring(ringing(1))
    waits.set(one, T0 + 1)
    assert waits.next_deadline_at() == T0 + INVITE_S
    one.fail(failed(401, at=2))
    waits.set(one, T0 + 2)
    assert waits.next_deadline_at() == T0 + 2 + CHALLENGE_S
    one.fail(failed(407, at=12))
    waits.set(one, T0 + 12)
    assert waits.next_deadline_at() == T0 + 12 + CHALLENGE_S
    one.answer(answered(13))
    waits.set(one, T0 + 13)
    assert waits.next_deadline_at() == T0 + 13 + MAX_CALL_S
    waits.drop(one.key)
    assert waits.next_deadline_at() is None


def test_the_due_ones_come_oldest_first_and_once(waits: Waits) -> None:
    for n in range(3):
        waits.set(call(str(n), at=n), T0 + n)
    assert list(waits.due(T0 + INVITE_S - 0.1)) == []
    assert list(waits.due(T0 + INVITE_S + 1)) == [("0", "a"), ("1", "a")]
    assert list(waits.due(T0 + INVITE_S + 1)) == []
    assert waits.next_deadline_at() == T0 + INVITE_S + 2


def test_after_an_outage_there_is_grace(waits: Waits) -> None:
    waits.set(call(), T0 + 10 * INVITE_S)
    assert waits.next_deadline_at() == T0 + 10 * INVITE_S + GRACE_S
