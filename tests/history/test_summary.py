"""What is known of a call at a message, message by message."""

import pytest
from history.test_explain import registration
from history.wire import CALL_ID, LUKAS, Wire, answered, call, hung_up, invited, refused, request, response

from switchboard.history.seen import Seen
from switchboard.history.summary import Summary, SummaryKind, user_of


def summary(seen: list[Seen]) -> Summary:
    found = Summary(CALL_ID)
    for each in seen:
        found.note(each)
    return found


def test_a_whole_call() -> None:
    seen = call(ring_s=4.0)
    found = summary(seen)
    assert (found.kind, found.outcome, found.status, found.phrase) == (
        SummaryKind.CALL,
        "answered",
        200,
        "V poriadku",
    )
    assert (user_of(found.caller), user_of(found.callee)) == ("lukas", "lenka")
    assert (found.started_ns, found.last_ns) == (seen[0].at_ns, seen[-1].at_ns)
    assert (found.ringing_ns, found.answered_ns, found.ended_ns) == (
        seen[4].at_ns,
        seen[6].at_ns,
        seen[9].at_ns,
    )
    assert (found.messages, found.bytes) == (13, sum(len(each.raw) for each in seen))


def test_on_the_way() -> None:
    wire = Wire()
    invited(wire)
    assert summary(wire.seen).outcome == "calling"
    answered(wire, 180, "Ringing")
    assert summary(wire.seen).outcome == "ringing"
    answered(wire, 200, "OK")
    assert summary(wire.seen).outcome == "up"


@pytest.mark.parametrize(("status", "outcome"), [(486, "busy"), (603, "declined"), (488, "failed")])
def test_refused(status: int, outcome: str) -> None:
    assert summary(refused(status, "Phrase")).outcome == outcome


def test_cancelled() -> None:
    wire = Wire()
    invited(wire)
    wire.comes(LUKAS, request("CANCEL"))
    wire.leaves(LUKAS, response(487, "Request Terminated"))
    assert summary(wire.seen).outcome == "cancelled"


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, "answered"), (481, "answered"), (500, "answered"), (407, "up"), (403, "up")]
)
def test_an_end_is_judged_by_the_answer_to_bye(status: int, outcome: str) -> None:
    wire = Wire()
    invited(wire)
    answered(wire, 200, "OK")
    wire.comes(LUKAS, request("BYE", branches=("bye",), to_tag="2", cseq=2))
    assert summary(wire.seen).outcome == "answered"
    wire.leaves(LUKAS, response(status, "Phrase", ("bye",), method="BYE", cseq=2))
    assert summary(wire.seen).outcome == outcome
    hung_up(wire)
    assert summary(wire.seen).outcome == "answered"


def test_the_next_call_of_the_same_call_id() -> None:
    wire = Wire()
    invited(wire)
    answered(wire, 200, "OK")
    wire.comes(LUKAS, request("INVITE", branches=("re",), to_tag="2", cseq=2))
    hung_up(wire)
    assert summary(wire.seen).outcome == "answered"
    invited(wire, cseq=3)
    assert summary(wire.seen).outcome == "calling"
    answered(wire, 486, "Busy")
    assert summary(wire.seen).outcome == "busy"


def test_a_challenge_is_no_end() -> None:
    wire = Wire()
    wire.comes(LUKAS, request("INVITE"))
    wire.leaves(LUKAS, response(407, "Password"))
    assert summary(wire.seen).ended_ns == 0


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [(registration(0), "open"), (registration(), "done"), (registration(403, "Forbidden"), "refused")],
)
def test_registrations(seen: list[Seen], outcome: str) -> None:
    found = summary(seen)
    assert (found.kind, found.outcome) == (SummaryKind.REGISTRATION, outcome)
    assert user_of(found.callee) == "lukas"


def test_what_cannot_be_parsed_is_kept_too() -> None:
    wire = Wire()
    wire.comes(LUKAS, b"INVITE broken")
    assert (summary(wire.seen).kind, summary(wire.seen).caller) == (SummaryKind.CALL, "")
    assert user_of("no uri") == ""
