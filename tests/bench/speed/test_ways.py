"""The ways of a call: a line for each cost and ratio, and numbers that the dial plan leads."""

from pathlib import Path

from bench.speed.scenario import SCENARIOS
from bench.speed.ways import NUMBERS, WAYS, _called, lines


def test_a_line_for_each_way_and_for_each_ratio() -> None:
    assert [each.unit for each in lines(150)] == ["ms"] * len(WAYS) + ["times"] * (len(WAYS) - 1)


def test_numbers_begin_with_the_digit_of_their_way() -> None:
    assert _called("") == ()
    assert len(set(_called("0"))) == NUMBERS
    assert all(each.startswith("9") for each in _called("9"))


def test_their_scenarios_are_there() -> None:
    for way in WAYS:
        assert Path(SCENARIOS / f"{way.scenario.callee}.xml").exists()
