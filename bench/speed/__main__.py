"""How fast it is, beside Kamailio: the same calls at equal rates, in turn, several times.

python -m bench.speed                 everything, as a table on the terminal
    --quick                           one short run of each, fewer users: a first impression
    --only ROW                        a part of it; may be repeated
    --subject NAME                    kamailio, ours, assignment, relay; may be repeated. before: the switchboard of the
                                      built checkout that BENCH_BEFORE names
    --profile RATE                    instead: where the CPU goes per process and function at so many calls/s
    --write PAGE                      put the result into its section of a Markdown page
"""

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.machine import describe_machine
from bench.report import write_section
from bench.speed.figure import Cell, Figure, Line
from bench.speed.namespace import enter_own_network
from bench.speed.page import Results, change_grid, floor_grid, main_grid, markdown_table, rich_table
from bench.speed.profile import profile
from bench.speed.programs import Unavailable
from bench.speed.rows import Row, make_rows
from bench.speed.scale import FULL, QUICK, Scale
from bench.speed.subjects import Kind
from switchboard.cli.output import Step, progress

CONSOLE = Console()


def measure_rows(rows: Sequence[Row], subjects: Sequence[Kind], scale: Scale) -> Results:
    """Every row: the subjects in turn, as often as the scale says."""
    results: list[tuple[Line, dict[Kind, Cell]]] = []
    kinds_of = {row.name: [kind for kind in row.subjects if kind in subjects] for row in rows}
    steps = sum(len(kinds_of[row.name]) * row.rounds(scale) for row in rows)
    with progress("Measuring", steps) as step:
        for row in rows:
            kinds = kinds_of[row.name]
            rounds = [{kind: _measure(row, kind, step) for kind in kinds} for _ in range(row.rounds(scale))]
            for number, line in enumerate(row.lines):
                results.append((line, {kind: Cell([one[kind][number] for one in rounds]) for kind in kinds}))
    return results


def tell(results: Results, scale: Scale, write: Path | None) -> None:
    """The tables, on the terminal and in the page."""
    grids = [
        grid for grid in (main_grid(results), floor_grid(results), change_grid(results)) if len(grid) > 1
    ]
    for grid in grids:
        CONSOLE.print(rich_table(grid))
    if write:
        how = f"{describe_machine()}; {scale.rounds} rounds: median (lowest–highest)."
        write_section(write, "speed", "\n\n".join([how, *map(markdown_table, grids)]))


def tell_profile(kind: Kind, rate: int, scale: Scale, write: Path | None) -> None:
    """Where the CPU goes, on the terminal; ours also in the page."""
    found = profile(kind, rate, scale)
    CONSOLE.print(f"{kind} at {rate} calls/s {found.flaw}")
    CONSOLE.print(rich_table(found.processes))
    CONSOLE.print(found.listing(), highlight=False, markup=False, soft_wrap=True)
    if write and kind is Kind.OURS:
        how = f"{describe_machine()}; {rate} calls/s. {found.flaw}".rstrip()
        write_section(write, "profile", "\n\n".join([how, markdown_table(found.processes), found.listing()]))


def _measure(row: Row, kind: Kind, step: Step) -> list[Figure]:
    """A measurement that breaks down is a figure, too: one that says why."""
    since = time.monotonic()
    try:
        figures = row.measure(kind)
    except (AssertionError, Unavailable) as error:
        figures = [Figure(None, str(error).partition("\n")[0])] * len(row.lines)
    cells = (Cell([figure]).text(line.digits) for line, figure in zip(row.lines, figures, strict=True))
    took = f"[{time.monotonic() - since:.0f} s]"
    step(f"{row.name:10} {kind:10} {', '.join(cells)}  {took}")
    return figures


def _choose(rows: Sequence[Row], only: Sequence[str]) -> Sequence[Row]:
    """Those named, or all."""
    names = [row.name for row in rows]
    if unknown := set(only) - set(names):
        raise typer.BadParameter(f"no row {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return [row for row in rows if not only or row.name in only]


def main(
    only: Annotated[list[str] | None, typer.Option(help="cpu-1000, highest, …")] = None,
    subject: Annotated[list[Kind] | None, typer.Option()] = None,
    quick: bool = False,
    profile_rate: Annotated[int, typer.Option("--profile", help="calls a second")] = 0,
    write: Path | None = None,
) -> None:
    """Measure, print, and write the result into a page."""
    scale = QUICK if quick else FULL
    if profile_rate:
        for kind in subject or [Kind.OURS]:
            tell_profile(kind, profile_rate, scale, write)
    else:
        rows = _choose(make_rows(scale), only or ())
        tell(
            measure_rows(rows, subject or [kind for kind in Kind if kind is not Kind.BEFORE], scale),
            scale,
            write,
        )


if __name__ == "__main__":
    enter_own_network("bench.speed")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # Whatever was started is ended.
    typer.run(main)
