import pytest
from journal.scripts import T0, answered, bye, failed, invite, refreshed, ringing

from switchboard.journal.call import Call
from switchboard.journal.record import Party
from switchboard.journal.waits import CHALLENGE_S, GRACE_S, INVITE_S, PAST_US_S, Waits

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


@pytest.mark.parametrize(
    ("session_s", "wait_s"),
    [(90, 90), (91, 180), (1800, 1800), (1801, 3600), (28_800, 28_800), (28_801, MAX_CALL_S - GRACE_S)],
)
def test_a_session_timer_is_rounded_up(waits: Waits, session_s: int, wait_s: float) -> None:
    one = call()
    one.answer(answered(session_s=session_s))
    waits.set(one, T0 + 2)
    assert waits.next_deadline_at() == T0 + 2 + wait_s + GRACE_S


def test_a_refresh_renews_the_wait(waits: Waits) -> None:
    one = call()
    one.answer(answered(session_s=1800))
    waits.set(one, T0 + 2)
    one.refresh(refreshed(902, 1800))
    waits.set(one, T0 + 902)
    assert waits.next_deadline_at() == T0 + 902 + 1800 + GRACE_S
    one.refresh(refreshed(1802))
    waits.set(one, T0 + 1802)
    assert waits.next_deadline_at() == T0 + 1802 + MAX_CALL_S
    one.hang_up(bye(at=2000, status=500), "b", Party.CALLER)
    waits.set(one, T0 + 2000)
    assert waits.next_deadline_at() == T0 + 2000 + MAX_CALL_S


def test_a_call_that_seems_to_go_past_us_is_waited_for_an_hour(waits: Waits) -> None:
    one = call()
    one.answer(answered(record_routed=False))
    waits.set(one, T0 + 2)
    assert waits.next_deadline_at() == T0 + 2 + PAST_US_S
    assert list(waits.due(T0 + 2 + PAST_US_S)) == [("c", "a")]
    waits.drop(one.key)


def test_no_call_is_waited_for_longer_than_the_setting_says() -> None:
    waits = Waits(60.0)
    for call_id, session_s, record_routed in (("1", 1800, True), ("2", 0, False), ("3", 0, True)):
        one = call(call_id)
        one.answer(answered(call_id=call_id, session_s=session_s, record_routed=record_routed))
        waits.set(one, T0 + 2)
    assert sorted(waits.due(T0 + 62)) == [("1", "a"), ("2", "a"), ("3", "a")]
