"""Whether a media engine relayed the voice of a call, and how much it got from each side (docs/MEDIA.md)."""

import re
from collections.abc import Iterator
from typing import Final

from switchboard.core.relay_mark import PARAM
from switchboard.core.relays import FIGURES, NO_ENGINE
from switchboard.history.account import Advice, HangUp
from switchboard.history.call_messages import ExplainedCall
from switchboard.history.lenient import LenientMessage
from switchboard.history.place import Place

_MARK: Final = f";{PARAM}="
_FIGURES: Final = re.compile(r"from=([0-9]{1,18});to=([0-9]{1,18})")


def relays_of(call: ExplainedCall) -> list[LenientMessage]:
    """The INVITEs to phones whose media a router had relayed: their Record-Route says so."""
    return [each for each in call.sent if any(_MARK in value for value in each.all("record-route"))]


def is_relayed(call: ExplainedCall) -> bool:
    """Whether neither side hears where the other one says to listen."""
    return bool(relays_of(call))


def relayed(call: ExplainedCall) -> Iterator[str]:
    """A sentence about who relayed the voice of a call that was answered."""
    if not (relays := relays_of(call)):
        return
    host = relays[-1].media_host
    yield f"A media engine{f' at {host}' if host else ''} relayed their voice."
    if call.end is not None and (figures := _figures(call.end)):
        sent, got = figures
        ours, theirs = (
            (call.caller, call.called) if call.is_of_caller(call.end.request) else (call.called, call.caller)
        )
        yield f"It got {_packets(sent)} from {ours} and {_packets(got)} from {theirs}."


def silent_sides(call: ExplainedCall) -> Iterator[str]:
    """What to check where an engine got nothing from a side."""
    if call.end is None or not (figures := _figures(call.end)):
        return
    is_callers = call.is_of_caller(call.end.request)
    for count, is_sender in zip(figures, (True, False), strict=True):
        if not count:
            who = call.caller if is_sender == is_callers else call.called
            yield (
                f"No voice came from {who} to the media engine: its phone was muted or on hold, or a firewall keeps "
                "UDP from the engine's ports (port-min to port-max)."
            )


def without_engine(call: ExplainedCall, _: Place) -> Advice | None:
    """The switchboard refused a call because no engine could relay it."""
    final = call.final
    if final is None or final.status != NO_ENGINE or call.final_is_by_phone:
        return None
    why = final.first("warning").partition('"')[2].removesuffix('"')
    return Advice(
        why or "The media of this call cannot be relayed",
        ("`switchboard status` names media engines that do not answer (docs/MEDIA.md).",),
    )


def _figures(end: HangUp) -> tuple[int, int] | None:
    match = _FIGURES.search(end.answer.first(FIGURES.lower())) if end.answer is not None else None
    return (int(match[1]), int(match[2])) if match else None


def _packets(count: int) -> str:
    return f"{count} packet{'' if count == 1 else 's'} of voice" if count else "no voice"
