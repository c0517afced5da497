"""The command `switchboard`: one file a command, gathered here.

Only what the command line names is imported: a switchboard starts seven parents at once, and each import of all
commands would cost it a quarter of a second.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated

import typer

from switchboard.cli.output import print_anything
from switchboard.twins import described_core, interpreter

PLACES = {
    "start": "start",
    "status": "status",
    "top": "top",
    "restart": "restart",
    "router": "router",
    "bindings": "listings",
    "connections": "connections",
    "subscriptions": "subscriptions",
    "calls": "listings",
    "hangup": "hangup",
    "dialplan": "dialplan",
    "messages": "messages",
    "trunk": "trunk",
    "cdr": "listings",
    "trace": "trace",
    "ladder": "history",
    "explain": "history",
    "failures": "history",
    "check": "doctor",
    "doctor": "doctor",
    "metrics": "status",
    "log-level": "status",
    "keys": "credentials",
    "console-password": "credentials",
    "backup": "backup",
    "restore": "restore",
    "migrate": "migrate",
    "user": "user",
    "forward": "forward",
    "dnd": "forward",
    "group": "group",
    "token": "token",
    "tls": "tls",
    "lab": "lab",
}
"""Each command, as `--help` lists them -> the module of `switchboard.cli` that has it."""


def make_app(named: Sequence[str] = ()) -> typer.Typer:
    """The command, with the `named` subcommands only; all of them if none is named or one is unknown."""
    print_anything()
    app = typer.Typer(
        help="A SIP proxy and registrar. Data goes to standard output, messages to standard error.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(options)
    for name in named if named and set(named) <= PLACES.keys() else PLACES:
        found = _find(name)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def _find(name: str) -> typer.Typer | Callable[..., object]:
    module = import_module(f"switchboard.cli.{PLACES[name]}")
    found: typer.Typer | Callable[..., object] = getattr(module, name.replace("-", "_"))
    return found


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # 50 ms

        typer.echo(f"switchboard {version('switchboard')}: {described_core()}, {interpreter()}")
        raise typer.Exit


def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""
