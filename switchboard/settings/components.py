"""The components of a switchboard: which worker processes each one's parent starts."""

import sys
from dataclasses import dataclass
from enum import StrEnum


class Component(StrEnum):
    """What one line of the Procfile starts, in its order."""

    EDGE = "edge"
    REGISTRAR = "registrar"
    ROUTER = "router"
    TRANSLATOR = "translator"
    JOURNAL = "journal"
    HISTORY = "history"
    CONSOLE = "console"


EDGE_WORKERS = ("edge-rx", "edge-tx")
OPTIONAL = frozenset({Component.CONSOLE, Component.HISTORY})
"""No call needs them; the settings may leave them out."""


@dataclass(frozen=True, slots=True)
class WorkerName:
    """One worker process: its name and instance, counted from 0."""

    name: str
    instance: int

    def __str__(self) -> str:
        return f"{self.name}.{self.instance}"

    @property
    def command(self) -> tuple[str, ...]:
        """What starts it."""
        module = "switchboard.workers." + self.name.replace("-", "_")
        return (sys.executable, "-m", module, "--instance", str(self.instance))


def workers_of(component: Component, routers: int) -> list[WorkerName]:
    """The workers of `component`; `routers` is how many instances the router has."""
    names = EDGE_WORKERS if component is Component.EDGE else (str(component),)
    instances = routers if component is Component.ROUTER else 1
    return [WorkerName(name, instance) for name in names for instance in range(instances)]
