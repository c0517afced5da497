"""`switchboard trunk`: the accounts at providers (docs/TRUNKS.md)."""

import time
from typing import Annotated, Any

import typer

from switchboard.bus.context import BusContext
from switchboard.cli.credentials import read_password
from switchboard.cli.output import FAILED, MISUSED, JsonOption, fail, print_json, print_table, say
from switchboard.cli.running import call_with, check_owner, context_or_exit, settings_or_exit
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of
from switchboard.settings.trunks import MOST_PASSWORD
from switchboard.storage.durable import replace_file

trunk = typer.Typer(help="The accounts at providers.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The name of a trunk in the settings.")]
HEADINGS = ("trunk", "account", "registered", "next try", "last refusal")
PATIENCE_S = 45.0
"""Of `trunk test`: a router gives a REGISTER up after 32 s."""
LOOK_S = 0.1


@trunk.command(name="list")
def list_trunks(as_json: JsonOption = False) -> None:
    """List the trunks: registered until when, when the next try is, and why the last one failed."""
    settings = settings_or_exit()
    found = _ask(settings, "trunks.list") if settings.trunks else []
    if as_json:
        print_json({"trunks": found})
    else:
        print_table(HEADINGS, map(_row, found), "There are no trunks: docs/TRUNKS.md says how to make one.")


@trunk.command(name="test")
def try_trunk(name: Name, as_json: JsonOption = False) -> None:
    """Register a trunk now, and say what the provider answers. Exit status 1 if it is not registered."""
    settings = _settings_with(name)
    with context_or_exit(settings) as context:
        if not _question(settings, context, "trunks.try", name):
            fail(f"The worker does not know the trunk {name} yet: switchboard restart trunks")
        found = _awaited(settings, context, name)
    if as_json:
        print_json(found)
    elif not found["registers"]:
        say(f"{name} does not register (register = false): calls go to {found['registrar']}.")
    else:
        say(_outcome(found))
    if found["registers"] and (found["is_waiting"] or found["refusal"]):
        raise typer.Exit(FAILED)


@trunk.command()
def password(name: Name, as_json: JsonOption = False) -> None:
    """Keep the password of a trunk: asked for, or read from standard input. It is in force at once."""
    settings = _settings_with(name)
    if file := settings.trunks[name].password_file:
        fail(f"The settings name the file with the password of {name}: {file}", MISUSED)
    check_owner(settings)
    text = read_password(f"trunk {name}")
    if len(text) > MOST_PASSWORD:
        fail(f"The password is longer than {MOST_PASSWORD} characters. Nothing was changed.", MISUSED)
    try:
        settings.trunks_path.mkdir(mode=0o700, exist_ok=True)
        replace_file(
            settings.trunks_path / f"{name}.password", text.encode("utf-8", "surrogateescape") + b"\n"
        )
    except OSError as error:
        fail(f"The password cannot be written to {settings.trunks_path}: {error.strerror}.")
    if as_json:
        print_json({"trunk": name})
    say(
        f"The password of {name} is kept. To see whether the provider takes it: switchboard trunk test {name}"
    )


def _settings_with(name: str) -> Settings:
    settings = settings_or_exit()
    if name not in settings.trunks:
        known = ", ".join(settings.trunks) or "none"
        fail(f"There is no trunk {name} in the settings; known are: {known}.", MISUSED)
    return settings


def _ask(settings: Settings, question: str, body: object = None) -> Any:
    with context_or_exit(settings) as context:
        return _question(settings, context, question, body)


def _question(settings: Settings, context: BusContext, question: str, body: object = None) -> Any:
    return call_with(context, settings, endpoints_of(settings).ask("trunks"), question, body)


def _awaited(settings: Settings, context: BusContext, name: str) -> dict[str, Any]:
    """How the trunk is registered once its request has been answered; as it is, if that takes too long."""
    until = time.monotonic() + PATIENCE_S
    while True:
        found = next(each for each in _question(settings, context, "trunks.list") if each["name"] == name)
        if not found["is_waiting"] or time.monotonic() > until:
            return dict(found)
        time.sleep(LOOK_S)


def _outcome(found: dict[str, Any]) -> str:
    if found["is_waiting"]:
        return f"{found['name']}: no answer from {found['registrar']} yet."
    if found["refusal"]:
        return f"{found['name']}: {found['refusal']}. {_registered(found)}; next try {_next(found)}."
    return f"{found['name']} is registered at {found['registrar']}, {_registered(found)}."


def _row(found: dict[str, Any]) -> tuple[str, ...]:
    account = f"{found['user']} at {found['registrar'].removeprefix('sip:')}"
    refusal = f"{found['refusal']} ({found['refused_s']:.0f} s ago)" if found["refusal"] else ""
    if not found["registers"]:
        return found["name"], account, "does not register", "", ""
    return found["name"], account, _registered(found), _next(found), refusal


def _registered(found: dict[str, Any]) -> str:
    left_s = found["registered_s"]
    if not left_s:
        return "not registered"
    return f"until {time.strftime('%H:%M:%S', time.localtime(time.time() + left_s))}"


def _next(found: dict[str, Any]) -> str:
    return "now" if found["next_s"] is None else f"in {found['next_s']:.0f} s"
