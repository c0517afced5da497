import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal.scripts import (
    ENGINE,
    T0,
    answered,
    bye,
    failed,
    finished,
    forwarded,
    invite,
    refreshed,
    relayed,
    ringing,
    unconfirmed,
)
from journal.tables import TABLES, opened, saved

from switchboard.journal.changes import Changes
from switchboard.journal.events import CallEvent, Ringing
from switchboard.journal.file import parse_records
from switchboard.journal.fold import MAX_OPEN, CallFolder
from switchboard.journal.record import CallDetailRecord, ForwardedBy, Outcome, Party
from switchboard.journal.record import Relayed as RelayedMedia
from switchboard.journal.waits import CHALLENGE_S, GRACE_S, INVITE_S, PAST_US_S

MAX_CALL_S = 43_200.0


class Folder(CallFolder):
    """A folder with its table, of the kind that is tested now."""

    kind = TABLES[0]

    def __init__(self, max_open: int = MAX_OPEN) -> None:
        self.table = self.kind(MAX_CALL_S)
        super().__init__(self.table, max_open)

    def take_changes(self) -> Changes:
        return self.table.take_changes(1, 0)

    def take_records(self) -> list[CallDetailRecord]:
        return list(parse_records(self.take_changes().lines.data.splitlines()))


@pytest.fixture(autouse=True, params=TABLES, scope="module")
def both_kinds(request: pytest.FixtureRequest) -> Iterator[None]:
    Folder.kind = request.param
    yield
    Folder.kind = TABLES[0]


def folder(*events: CallEvent, now_at: float = T0) -> Folder:
    calls = Folder()
    for event in events:
        calls.fold(event, now_at)
    return calls


def outcomes(calls: Folder) -> list[tuple[str, str]]:
    return [(record.call_id, record.outcome.value) for record in calls.take_records()]


def states(calls: Folder) -> list[object]:
    return [call.describe(T0)["state"] for call in calls.table.calls()]


def test_a_call_from_invite_to_bye() -> None:
    calls = folder(invite(), ringing(), answered())
    assert len(calls.table) == 1
    assert states(calls) == ["up"]
    calls.fold(bye(), T0 + 5)
    assert len(calls.table) == 0
    assert outcomes(calls) == [("c", "answered")]
    assert outcomes(calls) == []


def test_calls_do_not_mix() -> None:
    calls = folder(
        invite(call_id="1"), invite(call_id="2"), failed(486, call_id="2"), failed(603, call_id="1")
    )
    assert outcomes(calls) == [("2", "busy"), ("1", "declined")]


def test_who_sent_the_bye_shows_in_its_tags() -> None:
    for event, by in ((bye("a", "b"), "caller"), (bye("b", "a"), "callee")):
        records = folder(invite(), answered(), event).take_records()
        assert [record.ended_by.value for record in records] == [by]


def test_events_of_no_open_call_are_counted() -> None:
    calls = folder(ringing(), answered(), failed(486), bye())
    assert calls.strays == 4
    assert not calls.take_changes()


def test_repeats_of_a_recorded_call_are_counted() -> None:
    events = invite(), ringing(), answered(), bye()
    calls = folder(*events, *events)
    assert outcomes(calls) == [("c", "answered")]
    assert calls.strays == 4


def test_a_phone_tries_again_under_the_same_call_id() -> None:
    first = invite(), ringing(), failed(302, at=2)
    second = invite(3), ringing(4), answered(5), bye(at=9)
    assert outcomes(folder(*first, *second)) == [("c", "failed"), ("c", "answered")]
    assert outcomes(folder(*first, *first, second[0], *first, *second, *first, *second)) == [
        ("c", "failed"),
        ("c", "answered"),
    ]


def test_changes_say_what_the_store_must_do() -> None:
    calls = folder(invite(call_id="1"), ringing(call_id="1"), invite(call_id="2"))
    changes = calls.take_changes()
    assert [call.call_id for call in opened(changes)] == ["1", "2"]
    assert changes.ended.entries == 0
    calls.fold(failed(486, call_id="1", at=2), T0)
    changes = calls.take_changes()
    assert saved(changes.calls) == [1]
    assert saved(changes.ended) == [["1", "a", T0 + 2]]
    assert not calls.take_changes()


def test_a_call_reopened_in_one_drain_is_stored_open() -> None:
    calls = folder(invite(), failed(302, at=2), invite(3))
    (call,) = opened(calls.take_changes())
    assert (call.serial, call.started_at) == (2, T0 + 3)


def test_what_the_store_kept_goes_on() -> None:
    before = folder(invite(), answered(), invite(call_id="2"), failed(486, call_id="2")).take_changes()
    calls = Folder()
    calls.table.restore([(1, call) for call in opened(before)], {("2", "a"): T0 + 2}, T0)
    for event in (invite(call_id="2"), failed(486, call_id="2"), bye()):
        calls.fold(event, T0)
    assert outcomes(calls) == [("c", "answered")]


def test_calls_whose_lines_were_found_yield_no_second_record() -> None:
    begun = folder(invite(call_id="open"), invite(1, "another")).table.calls()
    calls = Folder()
    calls.table.restore([(1, call) for call in begun], {}, T0)
    calls.skip([finished("open"), finished("unheard")])
    assert saved(calls.take_changes().calls) == [1]
    for call_id in ("open", "unheard", "another"):
        calls.fold(invite(call_id=call_id), T0)
        calls.fold(failed(603, call_id=call_id), T0)
    assert outcomes(calls) == [("another", "declined")]


def test_calls_that_never_end_are_given_up() -> None:
    calls = folder(invite(call_id="1"), invite(call_id="2"), answered(0, call_id="2"), invite(call_id="3"))
    calls.fold(failed(401, at=0, call_id="3"), T0)
    for wait_s, expected in (
        (CHALLENGE_S, [("3", "failed")]),
        (INVITE_S, [("1", "failed")]),
        (MAX_CALL_S, [("2", "answered")]),
    ):
        assert calls.table.next_deadline_at() == T0 + wait_s
        calls.expire(T0 + wait_s - 0.001)
        assert outcomes(calls) == []
        calls.expire(T0 + wait_s)
        assert outcomes(calls) == expected
    assert calls.table.next_deadline_at() is None


def test_a_session_that_nobody_refreshes_ends_with_what_was_last_seen() -> None:
    calls = folder(invite(), answered(2, session_s=1800), refreshed(900, 1800, "b", "a"))
    assert calls.table.next_deadline_at() == T0 + 900 + 1800 + GRACE_S
    calls.expire(T0 + 900 + 1800 + GRACE_S)
    (record,) = calls.take_records()
    assert (record.outcome.value, record.ended_by.value, record.duration_s) == ("answered", "unseen", 898.0)
    calls.fold(refreshed(1800, 1800), T0 + 1800)
    calls.fold(bye(at=1900), T0 + 1900)
    assert (outcomes(calls), calls.strays) == ([], 2)


def test_a_call_whose_ack_never_came_is_waited_for_an_hour() -> None:
    calls = folder(invite(), answered(2), unconfirmed(), now_at=T0 + 34)
    assert calls.table.next_deadline_at() == T0 + 2 + PAST_US_S
    calls.fold(bye(at=100), T0 + 100)
    assert outcomes(calls) == [("c", "answered")]


def test_a_bye_that_is_refused_leaves_the_call_open() -> None:
    calls = folder(invite(), answered(2), bye(at=5, status=401))
    assert (outcomes(calls), states(calls)) == ([], ["up"])
    calls.fold(bye("b", "a", 9), T0 + 9)
    (record,) = calls.take_records()
    assert (record.ended_by.value, record.duration_s) == ("callee", 7.0)


def test_a_bye_that_an_old_router_told_of_and_its_successor_again() -> None:
    calls = folder(invite(), answered(2), bye(at=5), bye(at=5, status=200))
    assert (outcomes(calls), calls.strays) == ([("c", "answered")], 1)


def test_after_a_restart_the_next_due_is_first_again() -> None:
    """The store has calls in the order in which they were last written."""
    calls = folder(
        invite(), answered(2, session_s=1800), invite(3, "2"), answered(4, call_id="2", session_s=1800)
    )
    before = opened(calls.take_changes())[1:]
    calls.fold(refreshed(900, 1800), T0 + 900)
    before += opened(calls.take_changes())
    again = Folder()
    again.table.restore([(row, call) for row, call in enumerate(before, 1)], {}, T0 + 900)
    assert again.table.next_deadline_at() == T0 + 4 + 1800 + GRACE_S
    assert [call.call_id for call in again.table.calls()] == ["c", "2"]


def test_calls_that_share_a_call_id_are_told_apart_by_their_tags() -> None:
    other = (
        invite(1)._replace(from_tag="x"),
        answered(2, "d")._replace(from_tag="x"),
        bye("x", "d", 9),
    )
    calls = folder(invite(), answered(2), *other)
    assert [call.started_at for call in calls.table.calls()] == [T0]
    calls.fold(bye("b", "a", 5), T0 + 9)
    assert [record.duration_s for record in calls.take_records()] == [7.0, 3.0]


def test_a_stack_that_says_all_of_a_call_again_in_the_next_one() -> None:
    """The same Call-ID and tag; the end of the first call went past us."""
    calls = folder(invite(), answered(2), invite(100), answered(102), bye(at=110))
    found = calls.take_records()
    assert [(record.ended_by.value, record.duration_s) for record in found] == [
        ("unseen", 0.0),
        ("caller", 8.0),
    ]


def test_an_answer_after_giving_up_changes_nothing() -> None:
    calls = folder(invite(), failed(401, at=1))
    calls.expire(T0 + 40)
    calls.fold(answered(41), T0 + 41)
    assert outcomes(calls) == [("c", "failed")]
    calls.fold(invite(50), T0 + 50)
    assert len(calls.table) == 1


def test_the_oldest_call_makes_room() -> None:
    calls = Folder(max_open=2)
    for call_id in "123":
        calls.fold(invite(call_id=call_id), T0)
        calls.fold(answered(call_id=call_id), T0)
    assert [call.call_id for call in calls.table.calls()] == ["2", "3"]
    assert outcomes(calls) == [("1", "answered")]


SCRIPTS: list[list[CallEvent]] = [
    [invite(), ringing(), answered(), bye()],
    [invite(), ringing(), answered(), bye("b", "a")],
    [invite(), ringing(), answered(2, "b"), answered(2.5, "d"), bye("a", "d", 3), bye("a", "b", 9)],
    [invite(), ringing(), failed(487, "caller")],
    [invite(), failed(486)],
    [
        invite(),
        failed(401, at=1),
        invite(2),
        ringing(3),
        failed(407, at=4),
        invite(5),
        answered(6),
        bye(at=7),
    ],
    [invite(), ringing(0.5), failed(401, at=1)],
    [invite(), failed(302, at=1), invite(2), ringing(3), answered(4), bye(at=5)],
    [invite(), answered(2), bye(at=3, status=407), bye(at=4)],
    [invite(), answered(2, session_s=90), refreshed(40, 90, "b", "a"), bye(at=50, status=481)],
    [invite(), answered(2, record_routed=False), unconfirmed()],
]


def records(events: list[CallEvent]) -> list[CallDetailRecord]:
    calls = folder(*events)
    calls.expire(T0 + MAX_CALL_S * 2)
    return calls.take_records()


@given(st.sampled_from(SCRIPTS), st.randoms(use_true_random=False))
def test_repeats_of_earlier_events_change_nothing(script: list[CallEvent], chance: random.Random) -> None:
    events: list[CallEvent] = []
    for known, event in enumerate(script, 1):
        events += [event, *chance.choices(script[:known], k=chance.randrange(4))]
    assert records(events) == records(script)


@given(st.permutations(SCRIPTS[0][1:]))
def test_an_answered_call_has_its_record_in_any_order(rest: list[CallEvent]) -> None:
    found = records([SCRIPTS[0][0], *rest])
    wanted = records(SCRIPTS[0])[0]
    rang_late = not isinstance(rest[0], Ringing)
    assert [record.model_copy(update={"ringing_at": wanted.ringing_at}) for record in found] == [wanted]
    assert rang_late or found == [wanted]


@pytest.mark.parametrize(("sender", "receiver"), [("a", "b"), ("b", "a")])
def test_a_bye_of_the_operator_ends_the_call_in_his_name(sender: str, receiver: str) -> None:
    by_operator = bye(sender, receiver)._replace(by=Party.OPERATOR)
    calls = folder(invite(), answered(), by_operator, bye(receiver, sender)._replace(by=Party.OPERATOR))
    (record,) = calls.take_records()
    assert (record.outcome, record.ended_by) == (Outcome.ANSWERED, Party.OPERATOR)
    assert not len(calls.table)


def test_a_ringing_call_that_the_operator_ends_is_cancelled() -> None:
    (record,) = folder(invite(), ringing(), failed(487, "operator")).take_records()
    assert (record.outcome, record.ended_by) == (Outcome.CANCELLED, Party.OPERATOR)


def test_who_forwarded_to_whom_is_recorded_once_each() -> None:
    events = (
        forwarded("lenka", "lukas"),
        forwarded("lenka", "lukas"),
        forwarded("lukas", "group:all", "always"),
    )
    calls = folder(invite(), ringing(), *events, answered(), bye())
    (record,) = calls.take_records()
    assert record.forwarded == (
        ForwardedBy("lenka", "lukas", "busy"),
        ForwardedBy("lukas", "group:all", "always"),
    )


def test_a_call_that_went_on_is_saved() -> None:
    calls = folder(invite(), forwarded("lenka", "lukas"))
    (call,) = opened(calls.take_changes())
    assert call.forwarded == [ForwardedBy("lenka", "lukas", "busy")]


@pytest.mark.parametrize(
    ("events", "from_caller", "from_callee"),
    [
        ([relayed(), bye()], 250, 3),
        ([relayed(from_tag="b", to_tag="a"), bye("b", "a")], 3, 250),
        ([relayed(None, None), relayed(), bye()], 250, 3),
        ([relayed(), relayed(1, 1), bye()], 250, 3),
        ([relayed(None, None), bye()], None, None),
    ],
)
def test_who_relayed_is_recorded(
    events: list[CallEvent], from_caller: int | None, from_callee: int | None
) -> None:
    calls = folder(invite(), answered(), *events, relayed())
    (record,) = calls.take_records()
    assert record.relayed == RelayedMedia(ENGINE, from_caller, from_callee)
    assert calls.strays == 1


def test_a_call_whose_media_was_relayed_is_saved() -> None:
    (call,) = opened(folder(invite(), answered(), relayed()).take_changes())
    assert call.relayed == RelayedMedia(ENGINE, 250, 3)
