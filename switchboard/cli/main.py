"""The command `switchboard`: one file a command, gathered here."""

from typing import Annotated

import typer

from switchboard.cli.backup import backup
from switchboard.cli.credentials import console_password, keys
from switchboard.cli.doctor import check, doctor
from switchboard.cli.history import explain, failures, ladder
from switchboard.cli.lab import lab
from switchboard.cli.listings import bindings, calls, cdr
from switchboard.cli.output import print_anything
from switchboard.cli.restart import restart
from switchboard.cli.restore import restore
from switchboard.cli.start import start
from switchboard.cli.status import log_level, metrics, status
from switchboard.cli.top import top
from switchboard.cli.trace import trace
from switchboard.cli.user import user_app
from switchboard.twins import core, interpreter

app = typer.Typer(
    help="A SIP proxy and registrar. Data goes to standard output, messages to standard error.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
COMMANDS = (
    *(start, status, top, restart, bindings, calls, cdr, trace, ladder, explain, failures),
    *(check, doctor, metrics, log_level, keys, console_password, backup, restore),
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(user_app, name="user")
app.add_typer(lab, name="lab")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # 50 ms

        typer.echo(f"switchboard {version('switchboard')}: {core()}, {interpreter()}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""


def main() -> None:
    """Entry point of the console script."""
    print_anything()
    app()
