"""Answers kept for retransmissions."""

from switchboard.registrar.answered import Answered


def test_answer_is_found_until_its_time_is_over() -> None:
    answered: Answered[str] = Answered(32.0)
    answered.add("a", "one", 100.0)
    assert [answered.find("a", now) for now in (100.0, 131.9, 132.0)] == ["one", "one", None]
    assert answered.find("b", 100.0) is None


def test_purge_forgets_what_is_over() -> None:
    answered: Answered[str] = Answered(32.0)
    for number in range(5):
        answered.add(number, "x", float(number))
    answered.add(0, "y", 10.0)
    answered.purge(34.5)
    assert (len(answered), answered.find(2, 34.5), answered.find(0, 34.5)) == (3, None, "y")


def test_the_oldest_go_first() -> None:
    answered: Answered[str] = Answered(32.0, keep=2)
    for name in "abc":
        answered.add(name, name, 0.0)
    assert [answered.find(name, 0.0) for name in "abc"] == [None, "b", "c"]
