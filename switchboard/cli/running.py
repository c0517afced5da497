"""What the commands that speak to a running switchboard share: its settings and its answers."""

from typing import Any

from switchboard.bus.ask import BusError, Refused, ask
from switchboard.bus.endpoints import Endpoints
from switchboard.cli.output import FAILED, MISUSED, fail
from switchboard.settings import Settings, SettingsError, load_settings


def settings_or_exit() -> Settings:
    """The settings; a bad one ends the command with status 2."""
    try:
        return load_settings()
    except SettingsError as error:
        fail(str(error), MISUSED)


def ask_worker(settings: Settings, name: str, question: str) -> Any:
    """Ask instance 0 of a worker; without an answer the command ends with status 1."""
    return ask_or_exit(settings, Endpoints(settings.run_dir).ask(name), question)


def ask_or_exit(
    settings: Settings, endpoint: str, question: str, body: object = None, timeout_s: float = 2.0
) -> Any:
    """Ask at any door; without an answer the command ends with status 1 and says why."""
    try:
        return ask(endpoint, question, body, timeout_s)
    except Refused as refused:
        fail(f"{refused}.", FAILED)
    except BusError as error:
        fail(f"No switchboard with the data directory {settings.data_dir} answers: {error}.", FAILED)
