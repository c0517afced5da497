"""What was decided is remembered for long enough, and not of everybody for ever."""

import pytest

from switchboard.core.verdicts import LASTS_S, MOST, Verdicts

NUMBER = 7


@pytest.mark.parametrize("verdict", [True, False])
@pytest.mark.parametrize("lasts_s", [LASTS_S, 6.4])
def test_it_holds_for_once_to_twice_as_long(verdict: bool, lasts_s: float) -> None:
    verdicts = Verdicts(lasts_s)
    assert verdicts.find(NUMBER, 100.0) is None
    verdicts.add(NUMBER, verdict, 100.0 + lasts_s / 2)
    for later_s in (0.0, lasts_s / 2, lasts_s):
        assert verdicts.find(NUMBER, 100.0 + lasts_s / 2 + later_s) is verdict
    assert verdicts.find(NUMBER, 100.0 + 2.5 * lasts_s) is None


def test_a_pause_ends_it() -> None:
    verdicts = Verdicts()
    verdicts.add(NUMBER, False, 100.0)
    assert verdicts.find(NUMBER, 100.0 + 2 * LASTS_S) is None


def test_others_do_not_shorten_it_until_there_are_too_many() -> None:
    verdicts = Verdicts()
    verdicts.add(NUMBER, False, 100.0)
    for number in range(1, MOST + 1):
        verdicts.add(-number, True, 100.0)
    assert verdicts.find(NUMBER, 100.0) is False
    for number in range(1, MOST + 1):
        verdicts.add(MOST + number, True, 100.0)
    assert verdicts.find(NUMBER, 100.0) is None
