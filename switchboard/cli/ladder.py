"""`switchboard ladder`: every message of a call, between whom it went."""

from datetime import datetime
from typing import Annotated, Any

import typer

from switchboard.cli.history import CallIdArgument, LastOption, chosen
from switchboard.cli.output import JsonOption, print_json
from switchboard.history.drawing import lines_of
from switchboard.history.ladder import Arrow, Ladder, draw

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
        "twin": arrow.twin,
        "fork": arrow.fork,
        "changes": [
            {"what": each.what, "before": each.before, "after": each.after} for each in arrow.changes
        ],
        "raw": arrow.seen.raw.decode("utf-8", "replace"),
    }
