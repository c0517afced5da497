"""What the commands that read the history share: which Call-ID is meant, and its messages."""

from collections.abc import Sequence
from typing import Annotated

import typer

from switchboard.cli.output import FAILED, MISUSED, fail
from switchboard.cli.running import settings_or_exit
from switchboard.history.place import history_of
from switchboard.history.reader import HistoryReader
from switchboard.history.seen import Seen
from switchboard.history.store import HistoryError
from switchboard.history.summary import Kind

CallIdArgument = Annotated[
    str | None, typer.Argument(metavar="[CALL-ID]", help="As `switchboard calls` shows it.")
]
LastOption = Annotated[bool, typer.Option("--last", help="The call that began last.")]


def chosen(call_id: str | None, last: bool) -> tuple[str, Sequence[Seen]]:
    """The Call-ID that is meant and its messages; ends with status 1 where there are none, 2 for misuse."""
    if (call_id is None) is not last:
        fail("Say which call: its CALL-ID, or --last.", MISUSED)
    reader = history_of(settings_or_exit())
    try:
        name = call_id if call_id is not None else _last(reader)
        messages = reader.messages(name)
    except HistoryError as error:
        fail(str(error), FAILED)
    if not messages:
        fail(f"The history has no messages with the Call-ID {name}.", FAILED)
    return name, messages


def _last(reader: HistoryReader) -> str:
    calls = reader.recent(Kind.CALL, at_most=1)
    if not calls:
        fail("The history has no call yet.", FAILED)
    return calls[0].call_id
