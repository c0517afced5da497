import pytest
from journal.scripts import T0, finished, invite
from journal.tables import TABLES, saved

from switchboard.journal.fold import Recorded
from switchboard.journal.table import CallTableInPython

KEY = ("c", "a")
LINE_KEY = ("c", "2026-11-22T10:00:00.000Z")
MAX_CALL_S = 60.0


@pytest.fixture(params=TABLES)
def ends(request: pytest.FixtureRequest) -> CallTableInPython:
    table: CallTableInPython = request.param(MAX_CALL_S, 3)
    return table


def test_an_invite_up_to_the_end_is_a_repeat_a_younger_one_is_not(ends: CallTableInPython) -> None:
    recorded = Recorded(ends)
    assert not recorded.has(invite())
    ends.add_end(KEY, T0 + 2)
    assert recorded.has(invite(0))
    assert recorded.has(invite(2))
    assert not recorded.has(invite(2.001))
    assert saved(ends.take_changes(1, 0).ended) == [[*KEY, T0 + 2]]


def test_a_line_is_known_by_its_start_until_its_invite_comes(ends: CallTableInPython) -> None:
    recorded = Recorded(ends)
    recorded.add_line(finished("c"))
    assert not recorded.has(invite(0.001))
    assert saved(ends.take_changes(1, 0).ended) == [[*LINE_KEY, T0 + 2.0005]]
    assert recorded.has(invite(0))
    assert saved(ends.take_changes(2, 0).ended) == [[*LINE_KEY, None], [*KEY, T0 + 2.0005]]
    assert recorded.has(invite(2.0004))
    assert not recorded.has(invite(2.001))


def test_lines_of_two_calls_under_one_key(ends: CallTableInPython) -> None:
    recorded = Recorded(ends)
    ends.restore([], {KEY: T0 - 5, LINE_KEY: T0 + 2}, T0)
    assert recorded.has(invite(0))
    assert recorded.covers(KEY, T0 + 2)
    assert ends.recorded == 1


def test_only_the_newest_are_remembered(ends: CallTableInPython) -> None:
    ends.restore([], {("0", "a"): T0}, T0)
    for name in "12013":
        ends.add_end((name, "a"), T0)
    assert ends.recorded == 3
    assert [name for name in "0123" if ends.ended_at((name, "a"))] == ["0", "1", "3"]
    with pytest.raises(KeyError):
        ends.forget_end(("2", "a"))
