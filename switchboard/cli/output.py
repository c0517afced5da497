"""How commands print: tables and local time for people, JSON for programs, messages and progress on standard error."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
FAILED = 1
MISUSED = 2


def print_anything() -> None:
    """From now on octets of a stranger's that are no text are printed as question marks, and end nothing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def print_json(value: object) -> None:
    """Print pure JSON to standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]], nothing: str) -> None:
    """Print a table to standard output; without rows the message `nothing` to standard error."""
    lines = [[_cell(value) for value in row] for row in rows]
    if not lines:
        say(nothing)
        return
    if not sys.stdout.isatty():
        _print_plain(headings, lines)
        return
    from rich.console import Console  # 80 ms that only tables need
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for line in lines:
        table.add_row(*(Text(cell) for cell in line))
    Console().print(table)


def _print_plain(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """The same for a pipe, as wide as it gets: rich takes a millisecond for each of a hundred thousand lines."""
    rows = [headings, *([_one_line(cell) for cell in line] for line in lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def _one_line(text: str) -> str:
    return text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)


def say(message: str) -> None:
    """Print a message to standard error."""
    typer.echo(message, err=True)


def fail(message: str, status: int = FAILED) -> NoReturn:
    """Print a message to standard error and end with `status`."""
    say(message)
    raise typer.Exit(status)


def duration(seconds: float) -> str:
    """Seconds as people say them: `47s`, `3m 05s`, `2h 07m`."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {rest:02}s" if minutes else f"{rest}s"


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def local_time(instant: str | None) -> str | None:
    """`2026-11-22T10:00:00.123Z` as `2026-11-22 11:00:00` in Bratislava; None stays None."""
    if instant is None:
        return None
    return datetime.fromisoformat(instant).astimezone().strftime("%Y-%m-%d %H:%M:%S")


Step = Callable[[str], None]


@contextmanager
def progress(what: str, steps: int) -> Iterator[Step]:
    """Yield what is to be called after each step, with a line about it ("" for none).

    On a terminal a bar shows how far it is, and goes when all is done; elsewhere there are only the lines.
    All of it is on standard error.
    """
    if not sys.stderr.isatty():
        yield _say_if_any
        return
    from rich.console import Console  # 80 ms that only a terminal needs
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=steps)

        def step(line: str) -> None:
            if line:
                shown.console.print(line, highlight=False, markup=False)
            shown.advance(task)

        yield step


def _say_if_any(line: str) -> None:
    if line:
        say(line)
