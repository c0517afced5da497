"""`switchboard restart --all`: every worker is restarted, one after the other."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import zmq

from switchboard.bus.ask import BusError, ask
from switchboard.bus.board import Board
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.restart import DEADLINE_S
from switchboard.cli.output import fail, say
from switchboard.components import Component
from switchboard.settings import Settings

ANSWER_WITHIN_S = 2.0
ORDER = ("journal", "edge-tx", "translator", "router", "registrar", "edge-rx")
"""Who reads before who writes, so that a frame of the new code finds nobody who runs the old one. The first
ones are missed least: a broken upgrade shows while calls do not notice.
"""

Show = Callable[[str], None]


def restart_all(settings: Settings) -> None:
    """Restart all workers, a line for each; at the first failure stop with status 1."""
    endpoints = Endpoints(settings.run_dir)
    workers = _workers(settings, endpoints)
    with _progress(len(workers)) as show:
        for number, (worker, component) in enumerate(workers):
            begun = time.monotonic()
            try:
                ask(endpoints.control(component), "restart", worker, DEADLINE_S + 1)
            except BusError as error:
                _give_up([name for name, _ in workers], number, str(error))
            show(f"{worker} restarted in {time.monotonic() - begun:.1f} s")


def _workers(settings: Settings, endpoints: Endpoints) -> list[tuple[str, Component]]:
    """The workers that the parents have now, in ORDER, each with its component."""
    with zmq.Context() as context:
        board = Board(context, {name: endpoints.control(name) for name in Component})
        board.wait(ANSWER_WITHIN_S)
        board.close()
    if silent := [name for name in Component if name not in board.answers]:
        fail(
            f"Nothing was restarted: in the data directory {settings.data_dir} "
            f"there is no answer from {', '.join(silent)}. See `switchboard status`."
        )
    found = [(worker, name) for name in Component for worker in board.answers[name]]
    found.sort(key=lambda each: (ORDER.index(each[0]["name"]), each[0]["instance"]))
    return [(f"{worker['name']}.{worker['instance']}", name) for worker, name in found]


def _give_up(workers: Sequence[str], failed: int, why: str) -> NoReturn:
    fail(
        f"Stopped: {why}.\n"
        f"Restarted: {', '.join(workers[:failed]) or 'none'}. "
        f"Not restarted: {', '.join(workers[failed:])}."
    )


@contextmanager
def _progress(workers: int) -> Iterator[Show]:
    """Yield what prints the line of a worker that is done; on a terminal a bar shows how many are."""
    if not sys.stderr.isatty():
        yield say
        return
    from rich.console import Console  # 80 ms that only a terminal needs
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Restarting", total=workers)

        def show(line: str) -> None:
            progress.console.print(line, highlight=False)
            progress.advance(task)

        yield show
