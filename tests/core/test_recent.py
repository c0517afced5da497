"""Transactions that a source began lately."""

from switchboard.core.recent import Recent
from switchboard.core.verdicts import LASTS_S


def test_one_source_has_its_limit_and_the_others_theirs() -> None:
    recent = Recent(3)
    assert [recent.admits("a", 1000.0) for _ in range(5)] == [True] * 3 + [False] * 2
    assert recent.admits("b", 1000.0)


def test_they_are_remembered_for_an_epoch_and_not_for_three() -> None:
    recent = Recent(1)
    assert recent.admits("a", 1000.0)
    assert not recent.admits("a", 1000.0 + LASTS_S)
    assert recent.admits("a", 1000.0 + 3 * LASTS_S)


def test_after_a_long_silence_nothing_is_left() -> None:
    recent = Recent(1)
    assert recent.admits("a", 1000.0)
    assert recent.admits("a", 1000.0 + 100 * LASTS_S)
