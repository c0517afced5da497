"""Bars on the terminal for what takes more than two seconds, and lines elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from switchboard.cli.output import say

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
