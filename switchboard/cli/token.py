"""`switchboard token`: who may use the JSON API of this host's console (docs/API.md)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from switchboard.auth.api_tokens import NAME, ApiTokens
from switchboard.cli.output import MISUSED, JsonOption, fail, print_json, print_table, say
from switchboard.cli.running import check_owner, settings_or_exit
from switchboard.storage.unusable import NotWritten, UnusableFile

HEADINGS = ("token", "may", "made")
token = typer.Typer(help="The tokens of the console's JSON API.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="What the token is for: letters, digits, and any of . _ -")]
ReadOnly = Annotated[bool, typer.Option("--read-only", help="It may read everything, and change nothing.")]


@token.command()
def add(name: Name, read_only: ReadOnly = False, as_json: JsonOption = False) -> None:
    """Make a token and print it. It is shown this once: only its hash is kept."""
    if not NAME.fullmatch(name):
        fail(
            f"{name!r} cannot be a token's name: 1 to 64 letters, digits and any of . _ -, a letter or digit first",
            MISUSED,
        )
    with _tokens() as tokens:
        made = tokens.add(name, read_only, time.time())
    if made is None:
        fail(f"There is a token {name} already. To replace it: switchboard token remove {name}")
    if as_json:
        print_json({"name": name, "token": made, "read_only": read_only})
    else:
        typer.echo(made)
    say(f"Whoever has this token {_may(read_only)} by the API. It is not shown again.")


@token.command(name="list")
def list_tokens(as_json: JsonOption = False) -> None:
    """List the tokens by name. What they are is kept nowhere."""
    with _tokens() as tokens:
        found = tokens.all()
    if as_json:
        shown = [{"name": each.name, "read_only": each.read_only, "made_at": each.made_at} for each in found]
        print_json({"tokens": shown})
        return
    rows = [
        (each.name, _may(each.read_only), time.strftime("%Y-%m-%d %H:%M", time.localtime(each.made_at)))
        for each in found
    ]
    print_table(HEADINGS, rows, "There are no tokens: switchboard token add NAME")


@token.command()
def remove(name: Name, as_json: JsonOption = False) -> None:
    """Remove a token. It opens nothing from now on."""
    with _tokens() as tokens:
        done = tokens.remove(name)
    if not done:
        fail(f"There is no token {name}. All there are: switchboard token list")
    if as_json:
        print_json({"removed": name})
    say(f"The token {name} opens nothing any more.")


def _may(read_only: bool) -> str:
    return "may read" if read_only else "may read and change"


@contextmanager
def _tokens() -> Iterator[ApiTokens]:
    """The file; a command ends with status 1 if it cannot be used."""
    settings = settings_or_exit()
    check_owner(settings)
    try:
        yield ApiTokens(settings.api_tokens_path)
    except (NotWritten, UnusableFile) as error:
        fail(str(error))
