import math

import pytest
from journal.scripts import (
    T0,
    answered,
    bye,
    failed,
    forwarded,
    invite,
    item,
    refreshed,
    relayed,
    ringing,
    unconfirmed,
)

from switchboard.journal.events import MAX_TEXT, CallEvent, EventError, Invite, read_event


@pytest.mark.parametrize(
    "event",
    [
        invite(),
        ringing(),
        answered(),
        answered(status=202, session_s=1800, record_routed=False),
        failed(486),
        failed(302, "switchboard"),
        unconfirmed(),
        forwarded("lenka", "group:office"),
        refreshed(9, 1800),
        relayed(),
        relayed(None, None),
        bye(),
        bye(status=481),
    ],
)
def test_events_cross_the_bus(event: CallEvent) -> None:
    assert read_event(item(7, event)) == event


def test_events_of_old_routers_are_read() -> None:
    assert read_event([1, "answered", "c", "a", T0 + 2, "b", 200]) == answered()
    assert read_event([1, "bye", "c", "a", T0 + 5, "a", "b"]) == bye()


def test_bytes_that_are_no_text_become_question_marks() -> None:
    event = read_event([1, "invite", "c\udcff", "a", T0, "sip:\udcc3@x", "sip:ž@x"])
    assert event == Invite("c?", "a", T0, "sip:?@x", "sip:ž@x")


def test_long_texts_are_cut() -> None:
    assert read_event([1, "ringing", "x" * 65_000, "a", T0]).call_id == "x" * MAX_TEXT


@pytest.mark.parametrize(
    "bad",
    [
        [1, "relayed", "c", "a", T0, "a", "b", "rtpengine://h", 1, -2],
        [1, "relayed", "c", "a", T0, "a", "b", "rtpengine://h", 2**60, 1],
        [1, "refreshed", "c", "a", T0, "a", "b", "rtpengine://h", 1, 1],
        [1, "relayed", "c", "a", T0, "a", "b", "rtpengine://h", 1],
        None,
        5,
        "invite",
        [],
        [1],
        [1, "ringing", "c", "a"],
        [1, "ringing", "c", "a", "yesterday"],
        [1, "ringing", "c", "a", 5],
        [1, "ringing", "c", "a", -1.0],
        [1, "ringing", "c", "a", math.nan],
        [1, "ringing", "c", "a", math.inf],
        [1, "ringing", b"c", "a", T0],
        [1, "ringing", "c", None, T0],
        [1, "ringing", "c", "a", T0, "more"],
        [1, "bye", "c", "a", T0],
        [1, "ringing", "c", "a", T0, "b", "a"],
        ["1", "ringing", "c", "a", T0],
        [1, ["ringing"], "c", "a", T0],
        [1, "transferred", "c", "a", T0],
        [1, "invite", "c", "a", T0, "sip:x"],
        [1, "invite", "c", "a", T0, "sip:x", None],
        [1, "answered", "c", "a", T0, "b", 180],
        [1, "answered", "c", "a", T0, "b", 300],
        [1, "answered", "c", "a", T0, "b", "200"],
        [1, "failed", "c", "a", T0, 200, "callee"],
        [1, "failed", "c", "a", T0, 700, "callee"],
        [1, "failed", "c", "a", T0, 486, "nobody"],
        [1, "failed", "c", "a", T0, 486, "unseen"],
        [1, "answered", "c", "a", T0, "b", 200, -1, True],
        [1, "answered", "c", "a", T0, "b", 200, 0, 1],
        [1, "answered", "c", "a", T0, "b", 200, 0],
        [1, "bye", "c", "a", T0, "a", "b", 180],
        [1, "refreshed", "c", "a", T0, "a", "b", -1],
        [1, "refreshed", "c", "a", T0, "a", "b"],
        [1, "bye", "c", "a", T0, "a"],
    ],
)
def test_what_is_no_event(bad: object) -> None:
    with pytest.raises(EventError):
        read_event(bad)
