"""The results as tables: on the terminal, and in Markdown for docs/PERFORMANCE.md."""

from collections.abc import Mapping, Sequence

from rich.table import Table

from bench.speed.figure import Cell, Line, ratio
from bench.speed.subjects import Kind

Results = Sequence[tuple[Line, Mapping[Kind, Cell]]]
"""Each line with the cells of the subjects that were measured for it."""
Grid = list[list[str]]

_NONE = Cell(())


def main_grid(results: Results) -> Grid:
    """Both proxies beside each other; the first row is the head."""
    head = ["", "unit", "Kamailio", "ours", "ours / Kamailio", "target", "assignment's", "relay"]
    return [head, *(_main_row(line, cells) for line, cells in results)]


def floor_grid(results: Results) -> Grid:
    """How far above the kernel's floor each is, and how ours stands beside the assignment's proxy."""
    head = ["", "Kamailio / relay", "assignment's / relay", "ours / relay", "ours / assignment's"]
    return [head, *(_floor_row(line, cells) for line, cells in results if Kind.RELAY in cells)]


def change_grid(results: Results) -> Grid:
    """How ours stands beside the build from before a change."""
    changed = [(line, cells) for line, cells in results if Kind.BEFORE in cells]
    return [["", "unit", "before", "ours", "ours / before"], *(_change_row(*each) for each in changed)]


def rich_table(grid: Grid) -> Table:
    """For the terminal."""
    head, *rows = grid
    shown = Table(*head)
    for row in rows:
        shown.add_row(*row)
    return shown


def markdown_table(grid: Grid) -> str:
    """For the page."""
    head, *rows = grid
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def _main_row(line: Line, cells: Mapping[Kind, Cell]) -> list[str]:
    def cell(kind: Kind) -> str:
        return cells.get(kind, _NONE).text(line.digits)

    compared = ratio(cells.get(Kind.OURS, _NONE), cells.get(Kind.KAMAILIO, _NONE))
    return [
        line.title,
        line.unit,
        cell(Kind.KAMAILIO),
        cell(Kind.OURS),
        compared,
        line.target,
        cell(Kind.ASSIGNMENT),
        cell(Kind.RELAY),
    ]


def _floor_row(line: Line, cells: Mapping[Kind, Cell]) -> list[str]:
    def compare(kind: Kind, other: Kind) -> str:
        return ratio(cells.get(kind, _NONE), cells.get(other, _NONE))

    return [
        line.title,
        *(compare(kind, Kind.RELAY) for kind in (Kind.KAMAILIO, Kind.ASSIGNMENT, Kind.OURS)),
        compare(Kind.OURS, Kind.ASSIGNMENT),
    ]


def _change_row(line: Line, cells: Mapping[Kind, Cell]) -> list[str]:
    before, ours = cells[Kind.BEFORE], cells.get(Kind.OURS, _NONE)
    return [line.title, line.unit, before.text(line.digits), ours.text(line.digits), ratio(ours, before)]
