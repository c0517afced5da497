"""The compiled table and the reference do the same: on disk, in what they acknowledge, and in what they remember."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cdr.scripts import T0, answered, bye, failed, invite, item, refreshed, ringing, unconfirmed
from cdr.tables import TABLES, saved
from hypothesis import given, settings
from hypothesis import strategies as st

from switchboard import codec
from switchboard.cdr.call import Call
from switchboard.cdr.events import MAX_TEXT, CallEvent
from switchboard.cdr.fold import CallFolder
from switchboard.cdr.journal import Journal
from switchboard.cdr.table import CallTable, CallTableInPython

needs_compiled_table = pytest.mark.skipif(len(TABLES) < 2, reason="the compiled core is not there")
MAX_CALL_S = 7200.0


@pytest.fixture(params=TABLES)
def table(request: pytest.FixtureRequest) -> CallTableInPython:
    table: CallTableInPython = request.param(MAX_CALL_S)
    return table


def test_an_empty_table(table: CallTableInPython) -> None:
    assert (len(table), table.recorded, table.calls(), table.due(T0), table.next_deadline_at()) == (
        0,
        0,
        [],
        [],
        None,
    )
    assert not table.take_changes(1, 0)
    assert table.find(("c", "a")) is table.ended_at(("c", "a")) is None
    with pytest.raises(LookupError):
        table.close(Call.begin(invite()))


def test_what_was_written_long_ago_is_written_again(table: CallTableInPython) -> None:
    folder = CallFolder(table)
    for call_id in "1234":
        folder.fold(invite(call_id=call_id), T0)
        table.take_changes(int(call_id), 0)
    folder.fold(ringing(call_id="1"), T0)
    folder.fold(failed(486, call_id="2"), T0)
    again = saved(table.take_changes(5, 3).calls)
    assert [entry if isinstance(entry, int) else entry[1] for entry in again] == [2, "1", "3"]
    assert table.take_changes(6, 4).calls.count == 1
    assert not table.take_changes(7, 4)


NO_TELLINGS = [None, [], [0, "x"], ["0", "x", []], [0, "x", None], [0, "x", [[1, []]]], [-1, "x", []]]


@pytest.mark.parametrize("body", NO_TELLINGS)
@needs_compiled_table
def test_what_is_no_telling_is_left_to_the_reference(body: object) -> None:
    assert CallTable(MAX_CALL_S).read_head(codec.pack(body), 0) is None


@needs_compiled_table
def test_a_torn_telling_is_left_to_the_reference() -> None:
    frame = b"head" + codec.pack([0, "first", [item(1, invite()), item(2, answered())]])
    table = CallTable(MAX_CALL_S)
    assert table.read_head(frame, 4) == (0, "first", 2, frame.index(b"\x97"))
    for size in range(4, len(frame)):
        assert table.read_head(frame[:size], 4) is None
    assert table.read_head(frame + b"\0", 4) is None


@needs_compiled_table
def test_plain_calls_never_meet_the_reference() -> None:
    """Else it would be right, and slow."""
    events = [
        *(invite(), ringing(), answered(), bye()),
        *(
            invite(1, "2"),
            failed(407, at=2, call_id="2"),
            invite(3, "2"),
            answered(4, call_id="2", session_s=1800),
        ),
        *(invite(1, "3"), ringing(call_id="3"), failed(487, "caller", call_id="3"), bye("b", "a", 9, "2")),
    ]
    items = b"".join(codec.pack(item(number, event)) for number, event in enumerate(events, 1))
    table = CallTable(MAX_CALL_S)
    assert table.fold(items, 0, len(events), 1, T0) == (len(events), len(items), len(items))
    assert table.take_changes(1, 0).lines.count == 3


@needs_compiled_table
@given(
    at=st.floats(1, 4.1e9) | st.integers(1000, 4_100_000_000_000).map(lambda millisecond: millisecond / 1000),
    lasts_s=st.floats(0, 1e6) | st.integers(0, 10**9).map(lambda millisecond: millisecond / 1000),
)
def test_instants_and_durations_are_written_as_the_reference_does(at: float, lasts_s: float) -> None:
    events = invite(at - T0), ringing(at - T0), answered(at - T0), bye(at=min(at + lasts_s, 4.102e9) - T0)
    assert len({lines(kind, events) for kind in TABLES}) == 1


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


TEXTS = st.sampled_from(
    ["a", "b", "c", "2026-11-22T10:00:00.000Z", 'say "a"', "back\\slash", "\t", "\x7f", "ž", "\udcff", ""]
)
TIMES = st.integers(0, 40).map(lambda at: at / 8) | st.sampled_from(
    [35.0, 70.0, 3700.0, -T0, -T0 + 0.5, -T0 + 1, 1e10]
)
SESSIONS = st.sampled_from([0, 0, 90, 1800, 7000, 100_000, 1 << 40])
STATUSES = st.sampled_from(
    [200, 202, 299, 300, 401, 404, 407, 408, 480, 481, 486, 487, 500, 503, 603, 604, 699, 700]
)
CALL_IDS = st.sampled_from("12")
TAGS = st.sampled_from(["a", "b"]) | TEXTS
PARTIES = st.sampled_from(["caller", "callee", "switchboard", "unseen"])
LONG = st.sampled_from(["a" * 31, "a" * 32, "a" * 255, "a" * 256, "a" * MAX_TEXT, "a" * (MAX_TEXT + 1)])


def happened(kind: str, *details: st.SearchStrategy[object]) -> st.SearchStrategy[list[object]]:
    """An event, without its number."""
    texts = CALL_IDS | CALL_IDS | CALL_IDS | TEXTS | LONG
    at = TIMES.map(lambda at: T0 + at)
    return st.tuples(st.just(kind), texts, TAGS, at, *details).map(list)


SCALARS = st.none() | st.booleans() | st.integers(-(1 << 40), 1 << 62) | st.floats() | st.binary(max_size=3)
ODD: st.SearchStrategy[object] = st.one_of(
    happened("invite", TEXTS | LONG, TEXTS | LONG),
    happened("ringing"),
    happened("unconfirmed"),
    happened("answered", TAGS, STATUSES),
    happened("answered", TAGS, STATUSES, SESSIONS, st.booleans()),
    happened("failed", STATUSES, PARTIES),
    happened("refreshed", TAGS, TAGS, SESSIONS),
    happened("bye", TAGS, TAGS),
    happened("bye", TAGS, TAGS, STATUSES),
    happened("hello", TAGS, TAGS, STATUSES),
    st.lists(
        st.none() | st.booleans() | st.integers(-(1 << 40), 1 << 62) | st.floats() | st.binary(max_size=3),
        max_size=8,
    ),
)
LIVES: list[Callable[[str], list[CallEvent]]] = [
    lambda name: [invite(0, name), ringing(1, name), answered(2, call_id=name), bye(at=5, call_id=name)],
    lambda name: [invite(0, name), answered(2, call_id=name), bye("b", "a", 5, name)],
    lambda name: [invite(0, name), ringing(1, name), failed(487, "caller", 2, name)],
    lambda name: [invite(0, name), failed(486, call_id=name)],
    lambda name: [
        invite(0, name),
        failed(407, "switchboard", 0.5, name),
        invite(1, name),
        answered(2, call_id=name),
    ],
    lambda name: [
        invite(0, name),
        failed(302, at=1, call_id=name),
        invite(2, name),
        answered(3, call_id=name),
    ],
    lambda name: [invite(0, name), answered(1, call_id=name), answered(2, "d", name), bye("a", "d", 3, name)],
    lambda name: [
        invite(0, name),
        answered(1, call_id=name),
        bye(at=3, call_id=name, status=401),
        bye(at=4, call_id=name),
    ],
    lambda name: [invite(0, name), answered(1, call_id=name, session_s=90), unconfirmed(33, name)],
    lambda name: [invite(0, name), answered(1, call_id=name, record_routed=False)],
    lambda name: [invite(0, name), answered(1, call_id=name), refreshed(2, 1800)._replace(call_id=name)],
]


@st.composite
def tellings(draw: st.DrawFn) -> list[object]:
    """Events of some calls in almost their order, with others between them; without numbers."""
    chance = draw(st.randoms(use_true_random=False))
    calls = [draw(st.sampled_from(LIVES))(name) for name in draw(st.lists(CALL_IDS, max_size=5))]
    told: list[object] = []
    while going := [events for events in calls if events]:
        told.append(item(0, chance.choice(going).pop(0))[1:])
    for odd in draw(st.lists(ODD, max_size=5)):
        told.insert(chance.randrange(len(told) + 1), odd)
    for _ in range(draw(st.integers(0, 3)) if told else 0):
        told.insert(chance.randrange(len(told) + 1), chance.choice(told))
    if len(told) > 1 and draw(st.booleans()):
        at = chance.randrange(len(told) - 1)
        told[at], told[at + 1] = told[at + 1], told[at]
    return told


@dataclass
class Twin:
    """A journal with one kind of table, in a directory of its own."""

    kind: type[CallTableInPython]
    directory: Path
    now_at: float = T0
    journal: Journal = field(init=False)

    def __post_init__(self) -> None:
        self.directory.mkdir()
        self.start()

    def start(self) -> None:
        self.journal = Journal(
            self.directory / "journal.db", self.directory / "cdr.jsonl", MAX_CALL_S, self.now_at, self.kind
        )

    def restart(self) -> None:
        self.journal.close()
        self.start()

    def tell(self, body: object) -> None:
        frame = codec.pack(body)
        if self.journal.receive_frame(frame, 0, self.now_at) is None:
            self.journal.receive(codec.unpack(frame), self.now_at)

    def expire(self, after_s: float) -> None:
        self.now_at += after_s
        self.journal.expire(self.now_at)

    def known(self) -> object:
        """All that can be asked of it, and what is on disk."""
        rows = self.journal._store._db.execute
        on_disk = [
            rows(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in ("calls", "ended", "router")
        ]
        lines = (self.directory / "cdr.jsonl").read_bytes()
        journal = self.journal
        return journal.calls(self.now_at), journal.stats(), journal.next_deadline_at(), on_disk, lines


def numbered(told: list[object], first: int) -> list[object]:
    return [
        [number, *event] if isinstance(event, list) else event for number, event in enumerate(told, first)
    ]


STEPS = st.sampled_from(["commit", "commit", "restart", "expire", "repeat", "gap", "nothing"])


@needs_compiled_table
@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(tellings(), STEPS, st.sampled_from([0.5, 40.0, 4000.0])), min_size=1, max_size=4))
def test_both_twins_do_the_same(steps: list[tuple[list[object], str, float]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        twins = [Twin(kind, Path(directory) / str(number)) for number, kind in enumerate(TABLES)]
        first = 1
        for told, step, after_s in steps:
            body = [0, "first", numbered(told, first + (step == "gap"))]
            outcomes = [done(twin, body, step, after_s) for twin in twins]
            assert outcomes[0] == outcomes[1]
            first += len(told)
        ends = [done(twin, [1, "x", []], "restart", 1e5) for twin in twins]
        assert ends[0] == ends[1]
        for twin in twins:
            twin.journal.close()


def done(twin: Twin, body: object, step: str, after_s: float) -> object:
    """What there is to know of a twin after a step."""
    twin.tell(body)
    match step:
        case "commit":
            told = twin.journal.commit()
        case "restart":
            told = twin.journal.commit()
            twin.restart()
        case "expire":
            twin.expire(after_s)
            told = {}
        case "repeat":
            twin.tell(body)
            told = twin.journal.commit()
        case _:
            told = {}
    return told, twin.known()
