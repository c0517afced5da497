import math

import pytest
from journal.scripts import T0, answered, bye, failed, invite, item, refreshed, ringing, unconfirmed
from journal.tables import TABLES, saved

from switchboard import codec
from switchboard.journal.call import Call
from switchboard.journal.events import MAX_TEXT, CallEvent
from switchboard.journal.fold import CallFolder
from switchboard.journal.table import CallTable, CallTableInPython

needs_compiled_table = pytest.mark.skipif(len(TABLES) < 2, reason="the compiled core is not there")
MAX_CALL_S = 7200.0


@pytest.fixture(params=TABLES)
def table(request: pytest.FixtureRequest) -> CallTableInPython:
    table: CallTableInPython = request.param(MAX_CALL_S)
    return table


def test_an_empty_table(table: CallTableInPython) -> None:
    assert (len(table), table.recorded, table.calls(), table.due(T0)) == (0, 0, [], [])
    assert table.next_deadline_at() is None
    assert not table.take_changes(1, 0)
    assert table.find(("c", "a")) is None
    assert table.ended_at(("c", "a")) is None
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
    assert table.take_changes(6, 4).calls.entries == 1
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
    events: list[CallEvent] = [
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
    assert table.take_changes(1, 0).lines.entries == 3


@needs_compiled_table
@pytest.mark.parametrize(
    "odd",
    [
        *(invite()._replace(at=at) for at in (-1.0, 0.0, 0.5, 1e10, math.inf, math.nan)),
        *(invite()._replace(callee=uri) for uri in ('"', "\\", "\n", "\x7f", "ž", "a" * (MAX_TEXT + 1))),
        *(unconfirmed(), refreshed(3), ringing(call_id="2"), failed(486, call_id="2")),
        *(answered(status=300), answered(session_s=1 << 40), failed(200), bye(status=401), bye("a", "d")),
    ],
)
def test_what_is_odd_is_left_to_the_reference(odd: CallEvent) -> None:
    items = b"".join(
        codec.pack(item(number, event)) for number, event in enumerate((invite(1), odd, bye()), 1)
    )
    table = CallTable(MAX_CALL_S)
    taken, start, end = table.fold(items, 0, 3, 1, T0)
    assert (taken, items[start:end]) == (1, codec.pack(item(2, odd)))
    assert table.fold(items, start, 2, 3, T0) == (0, start, end)
