"""`switchboard console-password`: makes the hash that the settings keep of the console's password."""

import secrets
import sys

import typer

from switchboard.cli.output import MISUSED, fail
from switchboard.settings.password import SALT_BYTES, hash_password

SHORTEST = 10


def console_password() -> None:
    """Ask for the console's password, or read it from standard input, and print its hash."""
    if sys.stdin.isatty():
        password = typer.prompt(
            "Password of the console", hide_input=True, confirmation_prompt=True, err=True
        )
    else:
        password = sys.stdin.readline().rstrip("\n")
    if len(password) < SHORTEST:
        fail(f"At least {SHORTEST} characters are wanted.", MISUSED)
    typer.echo(str(hash_password(password, secrets.token_bytes(SALT_BYTES))))
