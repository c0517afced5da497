"""Small charts."""

import pytest

from switchboard.console.chart import draw


def test_the_latest_is_at_the_right_edge() -> None:
    chart = draw([(100.0, 0.0), (250.0, 4.0), (400.0, 2.0)], 300.0)
    assert chart.line == "0.0,46.0 120.0,2.0 240.0,24.0"
    assert chart.area == "0.0,48 0.0,46.0 120.0,2.0 240.0,24.0 240,48"
    assert (chart.top, chart.latest) == (4.0, 2.0)


@pytest.mark.parametrize("value", [0.0, 0.4])
def test_little_stays_little(value: float) -> None:
    assert draw([(0.0, value)], 300.0).top == 1.0
