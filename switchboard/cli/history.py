"""`switchboard explain` and `ladder`: what happened to a call, in plain words, and its messages."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from switchboard.bus.rpc import RpcError, call_rpc
from switchboard.cli.output import FAILED, MISUSED, JsonOption, fail, print_json
from switchboard.cli.running import context_or_exit, settings_or_exit
from switchboard.history.explain import explain as explain_messages
from switchboard.history.ladder import Arrow, Ladder, draw, lines_of
from switchboard.history.lenient import LenientMessage
from switchboard.history.reader import HistoryReader, history_of
from switchboard.history.seen import Seen
from switchboard.history.store import HistoryError
from switchboard.history.summary import SummaryKind, user_of
from switchboard.settings.site import endpoints_of

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
    calls = reader.recent(SummaryKind.CALL, at_most=1)
    if not calls:
        fail("The history has no call yet.", FAILED)
    return calls[0].call_id


ANSWER_WITHIN_S = 1.0


def explain(call_id: CallIdArgument = None, last: LastOption = False, as_json: JsonOption = False) -> None:
    """Say what happened to a call or registration, and what to check where it failed.

    Exit status: 0 also for a call that failed, 1 if the history has none, 2 for misuse.
    """
    name, messages = chosen(call_id, last)
    account = explain_messages(messages, _contacts(messages))
    if as_json:
        told = {"account": account.sentences, "failed": account.failed, "advice": account.advice}
        print_json({"call_id": name, **told})
    else:
        typer.echo(account.text)


def _contacts(messages: Sequence[Seen]) -> list[str] | None:
    """The contacts of the callee now; None if no registrar answers."""
    callee = user_of(LenientMessage.of(messages[0]).callee)
    settings = settings_or_exit()
    with context_or_exit(settings) as context:
        server = endpoints_of(settings).ask("registrar")
        try:
            _, users, _ = call_rpc(
                server, "location.list", ["", 0, {"name": callee}], ANSWER_WITHIN_S, context
            )
        except RpcError:
            return None
    return [each["contact_uri"] for user, bound in users for each in bound if user == callee]


HopsOption = Annotated[bool, typer.Option("--hops", help="With the workers, where the history has them.")]


def ladder(
    call_id: CallIdArgument = None,
    last: LastOption = False,
    hops: HopsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Draw the ladder of a call or registration. Exit status: 1 if the history has none, 2 for misuse."""
    name, messages = chosen(call_id, last)
    drawn = draw(messages, hops=hops)
    if as_json:
        print_json({"call_id": name, **_as_map(drawn)})
        return
    typer.echo(f"{name}, {_moment(drawn.arrows[0])}")
    for line in lines_of(drawn):
        typer.echo(line)


def _moment(arrow: Arrow) -> str:
    return datetime.fromtimestamp(arrow.seen.at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _as_map(drawn: Ladder) -> dict[str, Any]:
    keys = [each.key for each in drawn.participants]
    return {
        "participants": [
            {"key": each.key, "label": each.label, "part": each.part.value} for each in drawn.participants
        ],
        "messages": [_arrow_as_map(arrow, keys) for arrow in drawn.arrows],
    }


def _arrow_as_map(arrow: Arrow, keys: list[str]) -> dict[str, Any]:
    return {
        "at": arrow.seen.at,
        "offset_s": arrow.offset_s,
        "source": keys[arrow.source],
        "destination": keys[arrow.destination],
        "label": arrow.label,
        "retransmission": arrow.retransmission,
        "answers": arrow.answers,
        "twin": arrow.counterpart,
        "fork": arrow.fork,
        "changes": [
            {"what": each.what, "before": each.before, "after": each.after} for each in arrow.changes
        ],
        "raw": arrow.seen.raw.decode("utf-8", "replace"),
    }
