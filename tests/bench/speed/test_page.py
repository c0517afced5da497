"""The tables of the page."""

from bench.speed.figure import Cell, Figure, Line
from bench.speed.page import floor_grid, main_grid, markdown_table
from bench.speed.subjects import Kind

CALL = Line("CPU per call", "ms", 2, "≤ 0.5")
REGISTER = Line("REGISTER", "µs", 0)


def cell(value: float) -> Cell:
    return Cell([Figure(value)])


RESULTS = [
    (
        CALL,
        {Kind.KAMAILIO: cell(0.2), Kind.OURS: cell(0.1), Kind.ASSIGNMENT: cell(0.4), Kind.RELAY: cell(0.02)},
    ),
    (REGISTER, {Kind.KAMAILIO: cell(14), Kind.OURS: Cell([Figure(None, "only 7/s")])}),
]


def test_both_proxies_beside_each_other() -> None:
    assert main_grid(RESULTS)[1:] == [
        ["CPU per call", "ms", "0.20", "0.10", "0.50", "≤ 0.5", "0.40", "0.02"],
        ["REGISTER", "µs", "14", "only 7/s", "–", "", "–", "–"],
    ]


def test_above_the_floor() -> None:
    assert floor_grid(RESULTS)[1:] == [["CPU per call", "10.00", "20.00", "5.00", "0.25"]]


def test_markdown() -> None:
    assert markdown_table([["a", "b"], ["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
