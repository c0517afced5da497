"""`switchboard explain`, `failures`, `ladder`: what happened to calls and registrations, in words and messages."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from switchboard.cli.output import FAILED, MISUSED, JsonOption, fail, print_json, say
from switchboard.cli.running import context_or_exit, refuse_strangers, settings_or_exit
from switchboard.history.explain import explain as explain_messages
from switchboard.history.failures import FailedRegistrations, failed_registrations
from switchboard.history.ladder import Arrow, Ladder, draw, lines_of
from switchboard.history.place import place_of
from switchboard.history.reader import HistoryReader, history_of
from switchboard.history.seen import Seen
from switchboard.history.store import HistoryError
from switchboard.history.summary import SummaryKind

CallIdArgument = Annotated[
    str | None, typer.Argument(metavar="[CALL-ID]", help="As `switchboard calls` shows it.")
]
LastOption = Annotated[bool, typer.Option("--last", help="The call that began last.")]


UserOption = Annotated[
    str, typer.Option("--user", help="What this user did last or had done to it: a call or a registration.")
]


def chosen(call_id: str | None, last: bool, user: str = "") -> tuple[str, Sequence[Seen]]:
    """The Call-ID that is meant and its messages; ends with status 1 where there are none, 2 for misuse."""
    if sum((call_id is not None, last, bool(user))) != 1:
        fail("Say which call: its CALL-ID, --last, or --user NAME.", MISUSED)
    settings = settings_or_exit()
    refuse_strangers(settings)
    reader = history_of(settings)
    try:
        name = call_id if call_id is not None else _last(reader, user)
        messages = reader.messages(name)
    except HistoryError as error:
        fail(str(error), FAILED)
    if not messages:
        fail(f"The history has no messages with the Call-ID {name}.", FAILED)
    return name, messages


def _last(reader: HistoryReader, user: str) -> str:
    kind = None if user else SummaryKind.CALL
    found = reader.recent(kind, user=user, at_most=1)
    if not found:
        fail(f"The history has nothing of {user}." if user else "The history has no call yet.", FAILED)
    return found[0].call_id


def explain(
    call_id: CallIdArgument = None,
    last: LastOption = False,
    user: UserOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say what happened to a call or registration, and what to check where it failed.

    Exit status: 0 also for a call that failed, 1 if the history has none, 2 for misuse.
    """
    name, messages = chosen(call_id, last, user)
    settings = settings_or_exit()
    with context_or_exit(settings) as context:
        account = explain_messages(messages, place_of(settings, context))
    if as_json:
        told = {"account": account.sentences, "failed": account.failed, "advice": account.advice}
        ended = {"outcome": account.outcome, "ended_by": account.ended_by}
        print_json({"call_id": name, **told, **ended})
    else:
        typer.echo(account.text)


FailingUserOption = Annotated[str, typer.Option("--user", help="Of this user.")]


def failures(user: FailingUserOption = "", as_json: JsonOption = False) -> None:
    """List the registrations that failed, by user, source and reason, the latest first, and what to check.

    Exit status: 0 also if there are none, 1 if there is no history.
    """
    settings = settings_or_exit()
    try:
        with context_or_exit(settings) as context:
            found = failed_registrations(history_of(settings), place_of(settings, context), user)
    except HistoryError as error:
        fail(str(error), FAILED)
    if as_json:
        print_json({"failures": [_failure_as_map(each) for each in found]})
        return
    if not found:
        say("No registration failed, as far as the history goes back.")
    for number, each in enumerate(found):
        typer.echo("\n" * bool(number) + _failure_text(each))


def _failure_text(failed: FailedRegistrations) -> str:
    times = "once" if failed.count == 1 else f"{failed.count} times"
    phone = f" ({failed.agent})" if failed.agent else ""
    lines = [
        f"{failed.user} from {failed.source}{phone}, {times}, last {_local(failed.last_ns)}: {failed.reason}",
        *(f"- {line}" for line in failed.account.advice),
        f"  switchboard ladder {failed.call_id}",
    ]
    return "\n".join(lines)


def _failure_as_map(failed: FailedRegistrations) -> dict[str, Any]:
    return {
        "user": failed.user,
        "source": failed.source,
        "user_agent": failed.agent,
        "times": failed.count,
        "first_at": failed.first_ns / 1e9,
        "last_at": failed.last_ns / 1e9,
        "status": failed.status,
        "reason": failed.reason,
        "advice": failed.account.advice,
        "call_id": failed.call_id,
    }


def _local(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9).astimezone().strftime("%Y-%m-%d %H:%M:%S")


HopsOption = Annotated[bool, typer.Option("--hops", help="With the workers, where the history has them.")]


def ladder(
    call_id: CallIdArgument = None,
    last: LastOption = False,
    user: UserOption = "",
    hops: HopsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Draw the ladder of a call or registration. Exit status: 1 if the history has none, 2 for misuse."""
    name, messages = chosen(call_id, last, user)
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
