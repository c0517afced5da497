"""`switchboard messages`: how many texts wait for users who are not there, and `messages delete`."""

import time
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from switchboard.bus.rpc import RpcError, call_rpc
from switchboard.cli.output import FAILED, JsonOption, duration, fail, print_json, print_table, say
from switchboard.cli.running import context_or_exit, settings_or_exit
from switchboard.settings.site import endpoints_of

messages = typer.Typer(help="Texts that wait for users who are not there.")
LIMIT_S = 5.0
OFF = "No texts are kept here: keep_messages_days is 0 (docs/MESSAGES.md)."


@messages.callback(invoke_without_command=True)
def listing(context: typer.Context, as_json: JsonOption = False) -> None:
    """Print for whom texts wait, how many, and how old the oldest is."""
    if context.invoked_subcommand is not None:
        return
    found = _ask("messages.list", None)
    if as_json:
        names = ("user", "messages", "oldest_at", "octets")
        users = [
            dict(zip(names, (user, count, _utc(at), octets), strict=True))
            for user, count, at, octets in found
        ]
        print_json({"users": users})
        return
    now_at = time.time()
    rows = [
        (user, count, duration(max(0.0, now_at - oldest_at)), octets)
        for user, count, oldest_at, octets in found
    ]
    print_table(("user", "messages", "oldest", "octets"), rows, "No text waits for anybody.")


@messages.command()
def delete(
    user: Annotated[str, typer.Argument(metavar="USER", help="Whose texts.")], as_json: JsonOption = False
) -> None:
    """Forget the texts that wait for a user."""
    count = _ask("messages.delete", [user])
    if as_json:
        print_json({"user": user, "deleted": count})
    else:
        say(f"{count} texts for {user} are forgotten." if count != 1 else f"1 text for {user} is forgotten.")


def _ask(question: str, body: object) -> Any:
    settings = settings_or_exit()
    if not settings.keep_messages_days:
        fail(OFF, FAILED)
    try:
        with context_or_exit(settings) as context:
            return call_rpc(endpoints_of(settings).ask("presence"), question, body, LIMIT_S, context)
    except RpcError as error:
        fail(f"The worker presence has not done it: {error}.", FAILED)


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
