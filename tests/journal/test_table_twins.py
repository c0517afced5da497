"""The compiled table and the reference do the same: on disk, in what they acknowledge, and in what they remember."""

from itertools import cycle, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal.scripts import CALLER, T0, answered, bye, invite, item, relayed, ringing
from journal.tables import IN_MEMORY, LIVES, MAX_CALL_S, TABLES, twins

from switchboard import codec
from switchboard.journal.events import MAX_TEXT, CallEvent
from switchboard.journal.fold import CallFolder
from switchboard.journal.table import CallTableInPython

pytestmark = pytest.mark.skipif(len(TABLES) < 2, reason="the compiled core is not there")


@given(
    at=st.floats(1, 4.1e9) | st.integers(1000, 4_100_000_000_000).map(lambda millisecond: millisecond / 1000),
    lasts_s=st.floats(0, 1e6) | st.integers(0, 10**9).map(lambda millisecond: millisecond / 1000),
)
def test_instants_and_durations_are_written_as_the_reference_does(at: float, lasts_s: float) -> None:
    events = invite(at - T0), ringing(at - T0), answered(at - T0), bye(at=min(at + lasts_s, 4.102e9) - T0)
    assert len({lines(kind, events) for kind in TABLES}) == 1


@pytest.mark.parametrize(
    ("engine", "sides"), [("rtpengine://h:2223", "ab"), ("", "ba"), ("x" * MAX_TEXT, "ab")]
)
@pytest.mark.parametrize("packets", [(0, 0), (250, 3), (1 << 32, (1 << 53) - 1)])
def test_a_relayed_call_is_plain(engine: str, sides: str, packets: tuple[int, int]) -> None:
    told = relayed(*packets, *sides)._replace(engine=engine)
    assert len({lines(kind, (invite(), answered(), told, told, bye())) for kind in TABLES}) == 1


def lines(kind: type[CallTableInPython], events: tuple[CallEvent, ...]) -> bytes:
    table = kind(MAX_CALL_S)
    items = b"".join(codec.pack(item(number, event)) for number, event in enumerate(events, 1))
    if kind is CallTableInPython:
        folder = CallFolder(table)
        for event in events:
            folder.fold(event, T0)
    else:
        assert table.fold(items, 0, len(events), 1, T0).taken == len(events)
    return table.take_changes(1, 0).lines.data


def happened(
    kind: str,
    call_ids: st.SearchStrategy[str],
    tags: st.SearchStrategy[str],
    times: st.SearchStrategy[float],
    *details: st.SearchStrategy[object],
) -> st.SearchStrategy[list[object]]:
    """An event as routers tell it, without its number."""
    return st.tuples(st.just(kind), call_ids, tags, times, *details).map(list)


CALL_IDS = st.sampled_from("12")
CALLERS, CALLEES = st.sampled_from("aaab"), st.sampled_from("bbda")
TIMES = st.integers(0, 5).map(lambda at: T0 + at)
STATUSES = st.sampled_from(
    [200, 202, 299, 300, 401, 407, 408, 430, 480, 481, 486, 487, 500, 503, 603, 699, 700]
)
PARTIES = st.sampled_from(["caller", "callee", "switchboard", "unseen"])
PACKETS = st.sampled_from([-1, 0, 250, 1 << 32, (1 << 53) - 1, 1 << 53])
SESSIONS = st.sampled_from([0, 0, 90, 1800, 7000, 100_000, 1 << 40])
TEXTS = st.sampled_from(
    ["", "a", "a:b", "2026-11-22T10:00:00.000Z", 'say "a"', "back\\slash", "\t", "\x7f", "ž", "\udcff"]
)
LENGTHS = st.sampled_from([31, 32, 255, 256, MAX_TEXT, MAX_TEXT + 1]).map(lambda length: "a" * length)
ANY_TIMES = TIMES | st.sampled_from([T0 + 40, T0 + 4000, 0.0, 0.5, 1.0, 1e10, -1.0])


ENGINES = st.sampled_from(["rtpengine://h", "rtpengine://i"])


def any_event(
    call_ids: st.SearchStrategy[str],
    callers: st.SearchStrategy[str],
    callees: st.SearchStrategy[str],
    uris: st.SearchStrategy[str],
    times: st.SearchStrategy[float],
    engines: st.SearchStrategy[str] = ENGINES,
) -> st.SearchStrategy[list[object]]:
    head = call_ids, callers, times
    return st.one_of(
        happened("invite", *head, uris, uris),
        happened("ringing", *head),
        happened("unconfirmed", *head),
        happened("forwarded", *head, callers, callees, st.sampled_from(["busy", "always"]), st.just(0)),
        happened("relayed", *head, callers, callees, engines, PACKETS, PACKETS),
        happened("relayed", call_ids, callees, times, callees, callers, engines, PACKETS, PACKETS),
        happened("answered", *head, callees, STATUSES),
        happened("answered", *head, callees, st.sampled_from([200, 202]), SESSIONS, st.booleans()),
        happened("failed", *head, STATUSES, PARTIES),
        happened("refreshed", *head, callers, callees, SESSIONS),
        happened("bye", *head, callers, callees, STATUSES),
        happened("bye", call_ids, callees, times, callees, callers, STATUSES),
        happened("bye", *head, callers, callees),
    )


PLAIN = any_event(CALL_IDS, CALLERS, CALLEES, st.just("sip:a@b"), TIMES)
ODD = any_event(
    CALL_IDS | TEXTS | LENGTHS, CALLERS | TEXTS, CALLEES | TEXTS, TEXTS | LENGTHS, ANY_TIMES, TEXTS | LENGTHS
)
NO_EVENTS: st.SearchStrategy[object] = st.lists(
    st.none() | st.booleans() | st.integers(-(1 << 40), 1 << 62) | st.floats() | st.binary(max_size=3),
    max_size=8,
) | st.integers(0, 5)


@st.composite
def tellings(
    draw: st.DrawFn,
    names: st.SearchStrategy[str],
    times: st.SearchStrategy[float],
    *others: st.SearchStrategy[object],
) -> list[list[object]]:
    """Events of some calls in almost their order, with others between them, and repeats; in one or more parts."""
    chance = draw(st.randoms(use_true_random=False))
    calls = [draw(st.sampled_from(LIVES))(name) for name in draw(st.lists(names, max_size=4))]
    told: list[object] = []
    while going := [events for events in calls if events]:
        event = going[chance.randrange(len(going))].pop(0)
        told.append(item(0, event if chance.randrange(8) else event._replace(at=draw(times)))[1:])
    for other in draw(st.lists(st.one_of(others), max_size=4)):
        told.insert(chance.randrange(len(told) + 1), other)
    for _ in range(draw(st.integers(0, 3)) if told else 0):
        told.insert(chance.randrange(len(told) + 1), chance.choice(told))
    cuts = sorted(chance.randrange(len(told) + 1) for _ in range(draw(st.integers(0, 3))))
    return [told[begin:end] for begin, end in pairwise([0, *cuts, len(told)])]


SHIFTS = st.lists(st.sampled_from([-2, -1, 0, 0, 0, 1]), min_size=1, max_size=4)
WAITS_S = st.lists(st.sampled_from([0.0, 0.0, 0.5, 40.0, 4000.0]), min_size=1, max_size=4)


CLOCKS_S = st.sampled_from([0.0, 0.0, 19_800.0, -19_800.0, 3e7, -1.7e9, 1.0605])


@settings(deadline=None, max_examples=300)
@given(tellings(CALL_IDS, TIMES, PLAIN), WAITS_S, CLOCKS_S, CLOCKS_S)
def test_both_make_the_same_of_few_calls(
    parts: list[list[object]], waits_s: list[float], correction_s: float, slow_s: float
) -> None:
    """So few that what one event says meets what another one said; each part is a row of the log."""
    with twins(IN_MEMORY) as both:
        for twin in both:
            twin.clocks(correction_s, slow_s)
        first = 1
        for row, (told, wait_s) in enumerate(zip(parts, cycle(waits_s), strict=False), 1):
            outcomes = []
            for twin in both:
                after = twin.tell(told, first)
                twin.expire(wait_s)
                outcomes.append((twin.known(), twin.changes(row, row - 2)))
            assert outcomes[0] == outcomes[1]
            first = after


def spoken(told: list[object], uri: str) -> list[object]:
    """The same events, but of another caller."""
    return [
        [uri if text == CALLER else text for text in event] if isinstance(event, list) else event
        for event in told
    ]


@settings(deadline=None, max_examples=60)
@given(tellings(CALL_IDS | TEXTS, ANY_TIMES, ODD, NO_EVENTS), TEXTS | LENGTHS, SHIFTS, CLOCKS_S)
def test_both_keep_the_same_through_restarts(
    parts: list[list[object]], uri: str, shifts: list[int], correction_s: float
) -> None:
    """Numbers that come again or are missing among those told; and a restart after each part."""
    with twins("journal.db") as both:
        for twin in both:
            twin.clocks(correction_s, 0.0)
        first = 1
        for told, shift in zip(parts, cycle(shifts), strict=False):
            outcomes = []
            for twin in both:
                after = twin.tell(spoken(told, uri), max(1, first + shift))
                outcomes.append((twin.known(), twin.on_disk(), twin.known()))
            assert outcomes[0] == outcomes[1]
            first = max(first, after) if shift < 1 else first
