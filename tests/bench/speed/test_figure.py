"""Cells of the table."""

import pytest

from bench.speed.figure import Cell, Figure, ratio

GOOD = [Figure(0.2), Figure(0.1), Figure(0.3)]
FAILED = Figure(None, "fails: 37 %")


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        (GOOD, "0.20 (0.10–0.30)"),
        ([Figure(0.2)], "0.20"),
        ([FAILED], "fails: 37 %"),
        ([Figure(0.2), FAILED, FAILED], "fails: 37 %, 2 of 3 runs"),
        ([], "–"),
    ],
)
def test_text(figures: list[Figure], text: str) -> None:
    assert Cell(figures).text(2) == text


def test_ratio_of_medians() -> None:
    assert ratio(Cell(GOOD), Cell([Figure(0.4)])) == "0.50"


def test_no_ratio_to_what_failed() -> None:
    assert ratio(Cell(GOOD), Cell([FAILED])) == "–"
    assert ratio(Cell([FAILED]), Cell(GOOD)) == "–"
