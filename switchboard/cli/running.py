"""What all commands that query a running switchboard share: its settings and its answers."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError, RpcRefused, call_rpc
from switchboard.cli.output import FAILED, MISUSED, fail
from switchboard.settings.ask import ask_registrar
from switchboard.settings.model import Settings, SettingsError, load_settings
from switchboard.settings.site import endpoints_of, open_context
from switchboard.supervisor.open_files import allow_files, needed_to_ask

AT_ONCE_S = 1.0


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
    """A context with the keys that reach the other hosts; a missing one ends the command with status 2.

    Who may not use the sockets of this switchboard ends with status 1.
    """
    refuse_strangers(settings)
    try:
        return open_context(settings)
    except SettingsError as error:
        fail(str(error), MISUSED)


def answers(settings: Settings, endpoint: str, question: str) -> bool:
    """Whether somebody is there who answers the question at once."""
    with context_or_exit(settings) as context:
        try:
            call_rpc(endpoint, question, None, AT_ONCE_S, context)
        except RpcError:
            return False
    return True


@contextmanager
def private() -> Iterator[None]:
    """Meanwhile new files are for their owner only."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def check_owner(settings: Settings) -> None:
    """What root wrote, the switchboard of another user could not read: another user's command ends with status 1."""
    directory = settings.data_dir
    try:
        directory.mkdir(parents=True, exist_ok=True)
        owner = directory.stat().st_uid
    except OSError as error:
        fail(f"The data directory {directory} cannot be used: {error.strerror}.")
    if owner != os.geteuid():
        _fail_as(directory, owner)


def refuse_strangers(settings: Settings) -> None:
    """Where the sockets may not be used by this user, its command ends with status 1 and says who may."""
    try:
        if os.access(settings.run_dir, os.R_OK | os.X_OK) or not settings.run_dir.exists():
            return
        owner = settings.data_dir.stat().st_uid
    except PermissionError:
        owner = settings.data_dir.stat().st_uid
    except OSError:
        return
    if owner != os.geteuid():
        _fail_as(settings.data_dir, owner)


def _fail_as(directory: Path, owner: int) -> NoReturn:
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = f"the user with the number {owner}"
    fail(f"The data directory {directory} belongs to {name}: run this command as {name}.")


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
    with ended(settings):
        return call_rpc(endpoint, question, body, timeout_s, context)


def registrar_with(context: BusContext, settings: Settings, question: str, body: object = None) -> Any:
    """The same of whichever registrar answers."""
    with ended(settings):
        return ask_registrar(settings, context, question, body, 2.0)


@contextmanager
def ended(settings: Settings) -> Iterator[None]:
    """The command ends with status 1 if nobody answers."""
    try:
        yield
    except RpcRefused as refused:
        fail(f"{refused}.", FAILED)
    except RpcError as error:
        fail(
            f"No switchboard with the data directory {settings.data_dir} answers: {error}. "
            "It does not run, or this part of it is down: switchboard status",
            FAILED,
        )
