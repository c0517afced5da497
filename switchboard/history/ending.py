"""Ends a call that is going on: asks the routers to send what `endings` has written (I/O rim)."""

from collections.abc import Sequence
from dataclasses import dataclass

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError, call_rpc
from switchboard.core.hanging_up import NOT_HERE
from switchboard.history.endings import CannotEnd, Ending, NoSuchCall, endings_of
from switchboard.history.reader import HistoryReader
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of
from switchboard.sip.shares import call_id_sum, router_of

ANSWER_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of it: who was told, and for each of the others why not."""

    told: Sequence[str]
    not_told: Sequence[str]

    @property
    def text(self) -> str:
        """The same as sentences."""
        sentences = [f"The call was ended: told {' and '.join(self.told)}."]
        return " ".join([*sentences, *(f"Not told {each}." for each in self.not_told)])


def end_call(call_id: str, history: HistoryReader, settings: Settings, context: BusContext) -> Ended:
    """End the call that has this Call-ID. CannotEnd, HistoryError or RpcError, with texts for people."""
    messages = history.messages(call_id)
    if not messages:
        raise NoSuchCall(
            "the history has no messages of such a call. It began before the history, or they are no longer kept: "
            "hang up at one of the phones."
        )
    endings = endings_of(messages)
    answers = [_ask(each, call_id, settings, context) for each in endings]
    told = [each.side for each, why in zip(endings, answers, strict=True) if not why]
    not_told = [f"{each.side}: {why}" for each, why in zip(endings, answers, strict=True) if why]
    if not told:
        raise CannotEnd(f"The call cannot be ended from here. {'; '.join(not_told)}.")
    return Ended(told, not_told)


def _ask(ending: Ending, call_id: str, settings: Settings, context: BusContext) -> str:
    """Ask the router of the call, and then the others: while the set of routers changes, one of them may have it."""
    endpoints, routers = endpoints_of(settings), settings.routers
    first = router_of(call_id_sum(call_id.encode("utf-8", "surrogateescape")), range(routers))
    why, silent = NOT_HERE, None
    for place in range(routers):
        server = endpoints.ask("router", (first + place) % routers)
        try:
            (why,) = call_rpc(server, "calls.end", [ending.raw], ANSWER_WITHIN_S, context)
        except RpcError as error:
            silent = error
        if why != NOT_HERE:
            return why
    if silent:
        raise silent
    return why
