"""Asks the parents of a switchboard over the bus how their workers are (docs/BUS.md, Control).

`switchboard status` shows the same; this takes milliseconds instead of the start of a program.
"""

from pathlib import Path
from typing import NotRequired, TypedDict, cast

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.rpc import RpcGroup
from switchboard.settings.hosts import OPTIONAL
from switchboard.settings.hosts import Component as Name
from switchboard.settings.model import Settings

ANSWER_WITHIN_S = 1.0


class Component(TypedDict):
    """How one worker is; an entry of `switchboard status --json`."""

    name: str
    instance: int
    pid: int | None
    host: str
    state: str
    uptime_s: float
    restarts: int
    address: NotRequired[str]
    """Of the console only."""
    notes: NotRequired[list[str]]
    """Only `switchboard status` has them."""


def ask_parents(data_dir: Path) -> list[Component]:
    """The workers of all components that were started; [] unless the parent of each that is needed answers."""
    run_dir = Settings.model_construct(data_dir=data_dir).run_dir
    endpoints = Endpoints(run_dir)
    needed = {name for name in Name if name not in OPTIONAL}
    started = [name for name in Name if name in needed or (run_dir / f"{name}.lock").exists()]
    with BusContext() as context:
        board = RpcGroup(context, {name: endpoints.control(name) for name in started})
        try:
            board.wait(ANSWER_WITHIN_S)
        finally:
            board.close()
    if not board.answers.keys() >= needed:
        return []
    return [cast(Component, worker) for name in started for worker in board.answers.get(name, [])]
