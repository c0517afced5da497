from journal.scripts import T0, finished, invite

from switchboard.journal.recorded import Recorded

KEY = ("c", "a")
LINE_KEY = ("c", "2026-11-22T10:00:00.000Z")


def test_an_invite_up_to_the_end_is_a_repeat_a_younger_one_is_not() -> None:
    recorded = Recorded()
    assert not recorded.has(invite())
    recorded.add(KEY, T0 + 2)
    assert recorded.has(invite(0))
    assert recorded.has(invite(2))
    assert not recorded.has(invite(2.001))
    assert recorded.added == {KEY: T0 + 2}


def test_a_line_is_known_by_its_start_until_its_invite_comes() -> None:
    recorded = Recorded()
    recorded.add_line(finished("c"))
    assert not recorded.has(invite(0.001))
    assert list(recorded.added) == [LINE_KEY]
    assert recorded.has(invite(0))
    assert list(recorded.added) == [KEY]
    assert recorded.forgotten == {LINE_KEY}
    assert recorded.has(invite(2.0004))
    assert not recorded.has(invite(2.001))


def test_lines_of_two_calls_under_one_key() -> None:
    recorded = Recorded()
    recorded.restore({KEY: T0 - 5, LINE_KEY: T0 + 2})
    assert recorded.has(invite(0))
    assert recorded.covers(KEY, T0 + 2)
    assert len(recorded) == 1


def test_only_the_newest_are_remembered() -> None:
    recorded = Recorded(limit=3)
    recorded.restore({("0", "a"): T0})
    for name in "12013":
        recorded.add((name, "a"), T0)
    assert len(recorded) == 3
    assert set(recorded.added) == {("0", "a"), ("1", "a"), ("3", "a")}
    assert recorded.forgotten == {("2", "a")}
