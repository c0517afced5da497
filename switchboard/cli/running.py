"""What the commands that speak to a running switchboard share: its settings and its answers."""

from typing import Any

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError, RpcRefused, call_rpc
from switchboard.cli.output import FAILED, MISUSED, fail
from switchboard.settings.model import Settings, SettingsError, load_settings
from switchboard.settings.site import endpoints_of, open_context
from switchboard.supervisor.open_files import allow_files, needed_to_ask


def settings_or_exit() -> Settings:
    """The settings; a bad one, or a machine that lets us open too few files, ends the command with status 2."""
    try:
        settings = load_settings()
    except SettingsError as error:
        fail(str(error), MISUSED)
    if why_not := allow_files(needed_to_ask(settings)):
        fail(f"{why_not}.", MISUSED)
    return settings


def context_or_exit(settings: Settings) -> BusContext:
    """A context with the keys that reach the other hosts; a missing one ends the command with status 2."""
    try:
        return open_context(settings)
    except SettingsError as error:
        fail(str(error), MISUSED)


def ask_worker(settings: Settings, name: str, question: str, body: object = None) -> Any:
    """Ask instance 0 of a worker; without an answer the command ends with status 1."""
    return call_or_exit(settings, endpoints_of(settings).ask(name), question, body)


def call_or_exit(
    settings: Settings, endpoint: str, question: str, body: object = None, timeout_s: float = 2.0
) -> Any:
    """Ask any server; without an answer the command ends with status 1 and says why."""
    with context_or_exit(settings) as context:
        return call_with(context, settings, endpoint, question, body, timeout_s)


def call_with(
    context: BusContext,
    settings: Settings,
    endpoint: str,
    question: str,
    body: object = None,
    timeout_s: float = 2.0,
) -> Any:
    """The same with a context that is there, for many questions."""
    try:
        return call_rpc(endpoint, question, body, timeout_s, context)
    except RpcRefused as refused:
        fail(f"{refused}.", FAILED)
    except RpcError as error:
        fail(f"No switchboard with the data directory {settings.data_dir} answers: {error}.", FAILED)
