"""What a worker of a switchboard under test counts."""

from pathlib import Path

from system.harness import Switchboard

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import call_rpc
from switchboard.settings.model import Settings


def stat(switchboard: Switchboard, worker: str, counter: str) -> float:
    """One of a worker's counters."""
    with BusContext() as context:
        counters = call_rpc(f"ipc://{run_dir(switchboard)}/{worker}.ask", "stats", context=context)
    return float(counters.get(counter, 0))


def run_dir(switchboard: Switchboard) -> Path:
    """Where the sockets are."""
    return Settings(data_dir=switchboard.data_dir).run_dir
