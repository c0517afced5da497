"""Which of the places where a name leads is tried first: not one that has just failed (RFC 3263 §4.3).

Theory. A name may lead to several servers, in the order that its records give. A request goes to the first. If that
answers 503, cannot be reached, or says nothing at all for SILENT_T1 · T1, the request goes to the next, as a new
client transaction. So that not every call has to wait for the same dead server, one that failed is set aside for
ASIDE_S: it is tried last, but it is tried, since the others may be dead as well.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from switchboard.bounded import Generations
from switchboard.core.commands import NextHop
from switchboard.sip.flow import Flow

ASIDE_S: Final = 32.0
MOST_ASIDE: Final = 1_000
"""Servers that are set aside, in one generation."""
MOST_TRIED: Final = 8
"""Places that one request is sent to because of one name."""
SILENT_T1: Final = 8
"""A server that has answered nothing for so many T1 (4 s, 4 transmissions) is taken for dead, if there is another."""


class NextHops:
    """One router's knowledge of servers that have failed. Times are monotonic, in seconds."""

    __slots__ = ("_aside",)

    def __init__(self) -> None:
        self._aside: Generations[NextHop, float] = Generations(MOST_ASIDE, ASIDE_S)

    def in_order(self, hops: Iterable[NextHop], now: float) -> list[NextHop]:
        """Those that are worth a try, best first, each once."""
        found = list(dict.fromkeys(hops))
        return sorted(found, key=lambda hop: self.is_aside(hop, now))[:MOST_TRIED]

    def is_aside(self, hop: NextHop, now: float) -> bool:
        """Whether it has failed lately."""
        failed_at = self._aside.get(hop)
        return failed_at is not None and now - failed_at < ASIDE_S

    def set_aside(self, flow: Flow, now: float) -> None:
        """Nobody answers at the end of `flow`, or it has too much to do."""
        self._aside.age(now)
        self._aside.put(NextHop(flow.host, flow.port, flow.transport), now, now)


def restored(hops: Sequence[Sequence[object]]) -> list[NextHop]:
    """Return the hops of which the log has the fields."""
    return [NextHop(*hop) for hop in hops]  # type: ignore[arg-type]
