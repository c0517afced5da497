"""`switchboard hangup`: ends a call that rings or is up."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from switchboard.bus.rpc import RpcError
from switchboard.cli.output import FAILED, MISUSED, JsonOption, fail, print_json
from switchboard.cli.running import ask_worker, context_or_exit, refuse_strangers, settings_or_exit
from switchboard.history.ending import end_call
from switchboard.history.endings import CannotEnd, NoSuchCall
from switchboard.history.reader import history_of
from switchboard.history.store import HistoryError
from switchboard.history.summary import user_of

CallArgument = Annotated[
    str, typer.Argument(metavar="CALL-ID|USER", help="As `switchboard calls` shows it, or one of its users.")
]


def hangup(call: CallArgument, as_json: JsonOption = False) -> None:
    """End a call that rings or is up: both phones are told.

    Exit status: 1 if the call could not be ended, with the reason; 2 if the user has several calls.
    """
    settings = settings_or_exit()
    refuse_strangers(settings)
    calls = ask_worker(settings, "journal", "call.list")
    call_id = _call_of(call, calls)
    try:
        with context_or_exit(settings) as context:
            ended = end_call(call_id, history_of(settings), settings, context)
    except NoSuchCall as error:
        if any(each["call_id"] == call_id for each in calls):
            fail(f"The call {call_id} cannot be ended: {error}", FAILED)
        fail(f"There is no call with the Call-ID {call}, nor of a user of that name, now.", FAILED)
    except (CannotEnd, HistoryError, RpcError) as error:
        fail(str(error), FAILED)
    if as_json:
        print_json({"call_id": call_id, "told": list(ended.told), "not_told": list(ended.not_told)})
    else:
        typer.echo(ended.text)


def _call_of(wanted: str, calls: list[Mapping[str, Any]]) -> str:
    """The Call-ID that is meant; ends with status 2 where there are several."""
    if any(call["call_id"] == wanted for call in calls):
        return wanted
    theirs = [
        str(call["call_id"]) for call in calls if wanted in (user_of(call["caller"]), user_of(call["callee"]))
    ]
    if not theirs:
        return wanted  # the history may know more than the journal, which hears of calls a moment later
    if len(theirs) > 1:
        fail(f"{wanted} has {len(theirs)} calls: say which. {' '.join(theirs)}", MISUSED)
    return theirs[0]
