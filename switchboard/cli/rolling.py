"""`switchboard restart --all`: every worker is restarted, one after the other."""

import time

from switchboard.bus.ask import BusError, ask
from switchboard.bus.board import Board
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoint
from switchboard.cli.output import fail
from switchboard.cli.progress import progress
from switchboard.cli.running import context_or_exit
from switchboard.settings.model import Settings
from switchboard.settings.site import parents
from switchboard.supervisor.restart import DEADLINE_S

ANSWER_WITHIN_S = 2.0
ORDER = ("console", "history", "journal", "edge-tx", "translator", "router", "registrar", "edge-rx")
"""Who reads before who writes, so that a frame of the new code finds nobody who runs the old one. The first
ones are missed least: a broken upgrade shows while calls do not notice.
"""


def restart_all(settings: Settings) -> list[str]:
    """Restart all workers, a line for each, and return them; at the first failure stop with status 1."""
    with context_or_exit(settings) as context:
        return _restart_all(settings, context)


def _restart_all(settings: Settings, context: BusContext) -> list[str]:
    workers = _workers(settings, context)
    names = [worker for worker, _ in workers]
    done = 0
    try:
        with progress("Restarting", len(workers)) as step:
            for worker, door in workers:
                took_s = _restart(worker, door, context)
                step(f"{worker} restarted in {took_s:.1f} s")
                done += 1
    except BusError as error:
        fail(
            f"Stopped: {error}.\n"
            f"Restarted: {', '.join(names[:done]) or 'none'}. Not restarted: {', '.join(names[done:])}."
        )
    return names


def _restart(worker: str, control_door: str, context: BusContext) -> float:
    """Restart one worker; returns the seconds that it took. BusError: it was not."""
    begun = time.monotonic()
    ask(control_door, "restart", worker, DEADLINE_S + 1, context)
    return time.monotonic() - begun


def _workers(settings: Settings, context: BusContext) -> list[tuple[str, Endpoint]]:
    """The workers that the parents have now, in ORDER, each with its parent's door."""
    doors = {name: door for name, (_, _, door) in parents(settings).items()}
    board = Board(context, doors)
    board.wait(ANSWER_WITHIN_S)
    board.close()
    if silent := [name for name in doors if name not in board.answers]:
        fail(
            f"Nothing was restarted: in the data directory {settings.data_dir} "
            f"there is no answer from {', '.join(silent)}. See `switchboard status`."
        )
    found = [(worker, door) for name, door in doors.items() for worker in board.answers[name]]
    found.sort(key=lambda each: (ORDER.index(each[0]["name"]), each[0]["instance"]))
    return [(f"{worker['name']}.{worker['instance']}", door) for worker, door in found]
