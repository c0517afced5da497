"""`switchboard messages`: how many texts wait for users who are not there, and `messages delete`."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import typer

from switchboard.bus.context import BusContext
from switchboard.cli.output import FAILED, JsonOption, duration, fail, print_json, print_table, say
from switchboard.cli.running import context_or_exit, ended, settings_or_exit
from switchboard.settings.model import Settings
from switchboard.survey.messages import Waiting, forget_texts, texts_waiting

messages = typer.Typer(help="Texts that wait for users who are not there.")
OFF = "No texts are kept here: keep_messages_days is 0 (docs/MESSAGES.md)."
T = TypeVar("T")


@messages.callback(invoke_without_command=True)
def listing(context: typer.Context, as_json: JsonOption = False) -> None:
    """Print for whom texts wait, how many, and how old the oldest is."""
    if context.invoked_subcommand is not None:
        return
    found = _ask(texts_waiting)
    if as_json:
        print_json({"users": [_described(each) for each in found]})
        return
    now_at = time.time()
    rows = [
        (each.user, each.messages, duration(max(0.0, now_at - each.oldest_at)), each.octets) for each in found
    ]
    print_table(("user", "messages", "oldest", "octets"), rows, "No text waits for anybody.")


@messages.command()
def delete(
    user: Annotated[str, typer.Argument(metavar="USER", help="Whose texts.")], as_json: JsonOption = False
) -> None:
    """Forget the texts that wait for a user."""
    count = _ask(lambda settings, context: forget_texts(settings, context, user))
    if as_json:
        print_json({"user": user, "deleted": count})
    else:
        say(f"{count} texts for {user} are forgotten." if count != 1 else f"1 text for {user} is forgotten.")


def _ask(put: Callable[[Settings, BusContext], T]) -> T:
    settings = settings_or_exit()
    if not settings.keep_messages_days:
        fail(OFF, FAILED)
    with context_or_exit(settings) as context, ended(settings):
        return put(settings, context)


def _described(each: Waiting) -> dict[str, object]:
    oldest_at = datetime.fromtimestamp(each.oldest_at, UTC).isoformat(timespec="seconds")
    return {"user": each.user, "messages": each.messages, "oldest_at": oldest_at, "octets": each.octets}
