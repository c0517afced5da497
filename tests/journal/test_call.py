from datetime import datetime

import pytest
from journal.scripts import (
    CALLEE,
    CALLER,
    T0,
    answered,
    bye,
    failed,
    finished,
    invite,
    refreshed,
    ringing,
    unconfirmed,
)

from switchboard.journal.call import MAX_FORKS, Call, Phase
from switchboard.journal.events import (
    Answered,
    Bye,
    CallEvent,
    Failed,
    Invite,
    Refreshed,
    Ringing,
    Unconfirmed,
)
from switchboard.journal.record import CallDetailRecord, Party, timestamp


def play(*events: CallEvent) -> tuple[Call, CallDetailRecord | None]:
    """The call that the events after the first one make of it, up to its record."""
    first, *rest = events
    assert isinstance(first, Invite)
    call, record = Call.begin(first), None
    for event in rest:
        assert record is None, "an event after the end"
        record = step(call, event)
    return call, record


def step(call: Call, event: CallEvent) -> CallDetailRecord | None:
    match event:
        case Invite():
            call.invite_again(event)
        case Ringing():
            call.ring(event)
        case Answered():
            return call.answer(event)
        case Failed():
            return call.fail(event)
        case Bye():
            by = Party.CALLER if event.from_tag == "a" else Party.CALLEE
            return call.hang_up(event, event.to_tag if by is Party.CALLER else event.from_tag, by)
        case Refreshed():
            call.refresh(event)
        case Unconfirmed():
            call.confirm_late()
    return None


def ended(*events: CallEvent) -> CallDetailRecord:
    record = play(*events)[1]
    assert record is not None
    return record


def seconds(record: CallDetailRecord) -> tuple[object, ...]:
    """When it rang, was answered, and ended, after T0."""
    moments = (record.ringing_at, record.answered_at, record.ended_at)
    return tuple(moment and datetime.fromisoformat(moment).timestamp() - T0 for moment in moments)


@pytest.mark.parametrize(
    ("events", "outcome", "status", "by", "moments", "duration_s"),
    [
        ([ringing(), answered(), bye()], "answered", 200, "caller", (1, 2, 5), 3.0),
        ([ringing(), answered(), bye("b", "a")], "answered", 200, "callee", (1, 2, 5), 3.0),
        ([answered(status=202), bye(at=2.125)], "answered", 202, "caller", (None, 2, 2.125), 0.125),
        ([answered(to_tag=""), bye(to_tag="")], "answered", 200, "caller", (None, 2, 5), 3.0),
        ([ringing(), failed(487, "caller")], "cancelled", 487, "caller", (1, None, 2), 0.0),
        ([ringing(), failed(486)], "busy", 486, "callee", (1, None, 2), 0.0),
        ([failed(600)], "busy", 600, "callee", (None, None, 2), 0.0),
        ([ringing(), failed(603)], "declined", 603, "callee", (1, None, 2), 0.0),
        ([ringing(), failed(408, "switchboard")], "no_answer", 408, "switchboard", (1, None, 2), 0.0),
        ([ringing(), failed(480)], "no_answer", 480, "callee", (1, None, 2), 0.0),
        ([failed(480, "switchboard")], "unreachable", 480, "switchboard", (None, None, 2), 0.0),
        ([failed(404, "switchboard")], "unreachable", 404, "switchboard", (None, None, 2), 0.0),
        ([failed(488)], "failed", 488, "callee", (None, None, 2), 0.0),
        # the callee's BYE has overtaken the answer
        ([ringing(), bye("b", "a", at=3), answered(2)], "answered", 200, "callee", (1, 2, 3), 1.0),
        ([ringing(), bye("b", "a", at=1), answered(2)], "answered", 200, "callee", (1, 2, 2), 0.0),
        # BYE in an early dialog
        ([ringing(), bye(at=1.5), failed(487)], "cancelled", 487, "caller", (1, None, 2), 0.0),
        # a BYE that is refused ends nothing, one that nobody answers does
        ([answered(), bye(at=3, status=407), bye(at=4)], "answered", 200, "caller", (None, 2, 4), 2.0),
        ([answered(), bye(at=3, status=403), bye("b", "a")], "answered", 200, "callee", (None, 2, 5), 3.0),
        ([answered(), bye(status=408)], "answered", 200, "caller", (None, 2, 5), 3.0),
        ([answered(), bye(status=481)], "answered", 200, "caller", (None, 2, 5), 3.0),
        ([answered(), bye(status=430)], "answered", 200, "caller", (None, 2, 5), 3.0),
        # CANCEL was too late
        ([ringing(), answered(), failed(487, "caller"), bye()], "answered", 200, "caller", (1, 2, 5), 3.0),
        # challenged, then repeated with credentials
        (
            [failed(401, at=1), invite(2), ringing(3), answered(4), bye()],
            "answered",
            200,
            "caller",
            (3, 4, 5),
            1.0,
        ),
        ([failed(407, at=1), answered(4), bye()], "answered", 200, "caller", (None, 4, 5), 1.0),
        ([failed(401, at=1), failed(486)], "busy", 486, "callee", (None, None, 2), 0.0),
        # late provisional response of another fork
        ([answered(2), ringing(3), bye()], "answered", 200, "caller", (None, 2, 5), 3.0),
        # everything twice
        (
            [invite(), ringing(), ringing(), answered(), answered(), ringing(4), bye()],
            "answered",
            200,
            "caller",
            (1, 2, 5),
            3.0,
        ),
    ],
)
def test_ends(
    events: list[CallEvent],
    outcome: str,
    status: int,
    by: str,
    moments: tuple[float | None, ...],
    duration_s: float,
) -> None:
    record = ended(invite(), *events)
    assert (record.outcome.value, record.status, record.ended_by.value) == (outcome, status, by)
    assert seconds(record) == moments
    assert record.duration_s == duration_s
    assert (record.call_id, record.caller, record.callee) == ("c", CALLER, CALLEE)
    assert record.started_at == timestamp(T0)


def test_two_callees_picked_up_and_the_second_was_let_go() -> None:
    call, record = play(invite(), answered(2, "b"), answered(2.5, "d"), bye("a", "d", 3))
    assert record is None
    assert call.phase is Phase.UP
    record = step(call, bye("b", "a", 9))
    assert record is not None
    assert seconds(record) == (None, 2, 9)
    assert record.ended_by is Party.CALLEE


def test_a_bye_in_no_dialog_of_ours_ends_nothing() -> None:
    assert play(invite(), answered(), bye("a", "other"))[1] is None


def test_tags_of_one_call_are_bounded() -> None:
    call, record = play(invite(), answered(to_tag="b"), *(bye("a", f"x{n}") for n in range(50)))
    assert record is None
    assert len(call.hung_up) == MAX_FORKS
    for n in range(50):
        call.answer(answered(to_tag=f"y{n}"))
    assert len(call.answered) == MAX_FORKS
    assert step(call, bye()) is None


def test_the_answers_own_bye_counts_however_many_came_before() -> None:
    assert (
        ended(invite(), answered(), *(bye("a", f"x{n}") for n in range(50)), bye()).ended_by is Party.CALLER
    )


@pytest.mark.parametrize(
    ("events", "phase", "waits_since"),
    [
        ([], Phase.CALLING, 0),
        ([ringing()], Phase.RINGING, 0),
        ([ringing(), failed(401, at=3)], Phase.CHALLENGED, 3),
        ([failed(401, at=3), invite(0)], Phase.CHALLENGED, 3),
        ([failed(401, at=3), invite(4)], Phase.CALLING, 0),
        ([failed(401, at=3), invite(4), failed(401, at=3)], Phase.CALLING, 0),
        ([failed(401, at=3), invite(4), failed(407, at=5)], Phase.CHALLENGED, 5),
        ([failed(401, at=3), invite(4), ringing(5)], Phase.RINGING, 0),
        ([failed(401, at=3), answered(6)], Phase.UP, 6),
        ([answered(2), refreshed(9)], Phase.UP, 9),
        ([answered(2), refreshed(9), refreshed(5)], Phase.UP, 9),
        ([answered(2), bye(at=7, status=401)], Phase.UP, 7),
    ],
)
def test_phases(events: list[CallEvent], phase: Phase, waits_since: float) -> None:
    call = play(invite(), *events)[0]
    assert (call.phase, call.waits_since) == (phase, T0 + waits_since)


@pytest.mark.parametrize(
    ("events", "session_s", "past_us"),
    [
        ([answered()], 0, False),
        ([answered(session_s=1800)], 1800, False),
        ([answered(session_s=1800), refreshed(900, 600)], 600, False),
        ([answered(session_s=1800), refreshed(900)], 0, False),
        ([answered(session_s=1800), bye(at=9, status=500)], 1800, False),
        ([answered(record_routed=False)], 0, True),
        ([answered(record_routed=False), refreshed(9)], 0, False),
        ([answered(), unconfirmed()], 0, True),
        ([answered(), refreshed(9), unconfirmed()], 0, False),
    ],
)
def test_what_tells_of_an_end_that_is_not_seen(
    events: list[CallEvent], session_s: int, past_us: bool
) -> None:
    call = play(invite(), *events)[0]
    assert (call.session_s, call.is_past_us) == (session_s, past_us)


@pytest.mark.parametrize(("at", "other"), [(1, False), (34, False), (34.5, True)])
def test_an_invite_long_after_the_answer_is_of_another_call(at: float, other: bool) -> None:
    assert play(invite(), answered(2))[0].is_before(invite(at)) is other
    assert not play(invite(), ringing())[0].is_before(invite(at))


@pytest.mark.parametrize(
    ("events", "outcome", "status", "by", "end"),
    [
        ([], "failed", 408, "switchboard", 100),
        ([ringing()], "failed", 408, "switchboard", 100),
        ([failed(401, at=3), invite(4)], "failed", 408, "switchboard", 100),
        ([failed(407, "switchboard", at=3)], "failed", 407, "switchboard", 3),
        ([failed(401, at=3)], "failed", 401, "callee", 3),
        ([answered()], "answered", 200, "unseen", 2),
        ([answered(), bye(status=500)], "answered", 200, "unseen", 5),
        ([answered(session_s=90), refreshed(50, 90)], "answered", 200, "unseen", 50),
    ],
)
def test_given_up(events: list[CallEvent], outcome: str, status: int, by: str, end: float) -> None:
    record = play(invite(), *events)[0].give_up(T0 + 100)
    assert (record.outcome.value, record.status, record.ended_by.value) == (outcome, status, by)
    assert record.ended_at == timestamp(T0 + end)


def test_a_clock_that_was_set_back_makes_no_negative_durations() -> None:
    record = ended(invite(), answered(2), bye(at=-100))
    assert record.duration_s == 0.0
    assert record.ended_at == record.answered_at


@pytest.mark.parametrize(
    ("events", "state", "answered_at", "duration_s", "status"),
    [
        ([], "calling", None, 0.0, None),
        ([failed(401)], "calling", None, 0.0, None),
        ([ringing()], "ringing", None, 0.0, None),
        ([ringing(), answered()], "up", "2026-11-22T10:00:02.000Z", 8.5, 200),
    ],
)
def test_description_of_an_open_call(
    events: list[CallEvent], state: str, answered_at: str | None, duration_s: float, status: int | None
) -> None:
    described = play(invite(), *events)[0].describe(T0 + 10.5)
    assert list(described) == [*CallDetailRecord.model_fields, "state", "past_us"]
    assert described["past_us"] is False
    assert described["started_at"] == "2026-11-22T10:00:00.000Z"
    assert [described[name] for name in ("state", "answered_at", "duration_s", "status")] == [
        state,
        answered_at,
        duration_s,
        status,
    ]
    assert described["ended_at"] is described["outcome"] is described["ended_by"] is None


def test_description_of_a_call_that_goes_past_us() -> None:
    assert play(invite(), answered(record_routed=False))[0].describe(T0 + 5)["past_us"] is True


def test_record_of_a_call_made_for_tests() -> None:
    assert finished("x").outcome.value == "declined"
