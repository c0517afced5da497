"""How commands print: tables for people, JSON for programs, messages on standard error."""

import json
import sys
from collections.abc import Iterable, Sequence
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
FAILED = 1
MISUSED = 2
PIPE_WIDTH = 10_000


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
    from rich.console import Console  # 80 ms that only tables need
    from rich.table import Table
    from rich.text import Text

    table = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for line in lines:
        table.add_row(*(Text(cell) for cell in line))
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


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
