"""Which of the places where a name leads is tried first: not one that has just failed (RFC 3263 §4.3).

Theory. A name may lead to several servers, in the order that its records give. A request goes to the first. If that
answers 503, cannot be reached, or says nothing at all for SILENT_T1 · T1, the request goes to the next, as a new
client transaction. So that not every call has to wait for the same dead server, one that failed is set aside for
ASIDE_S: it is tried last, but it is tried, since the others may be dead as well.

Of the names that a dial plan gives it is kept, too, where they lead, as long as that order holds: so the engine need
not ask (`outside.py`).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from switchboard.bounded import Generations
from switchboard.core.commands import Lookup, NextHop
from switchboard.sip.flow import Flow

ASIDE_S: Final = 32.0
MOST_ASIDE: Final = 1_000
"""Servers that are set aside, in one generation."""
MOST_TRIED: Final = 8
"""Places that one request is sent to because of one name."""
SILENT_T1: Final = 8
"""A server that has answered nothing for so many T1 (4 s, 4 transmissions) is taken for dead, if there is another."""


class Known(NamedTuple):
    """Where a name leads, best first, until then (epoch s)."""

    hops: tuple[NextHop, ...]
    until: float


class NextHops:
    """One router's knowledge of servers that have failed. Times are monotonic, in seconds, but those named `at`.

    `tell`: called when what is known of names is not true any more.
    """

    __slots__ = ("_aside", "_known", "tell")

    def __init__(self) -> None:
        self.tell: Callable[[], object] = list
        self._aside: Generations[NextHop, float] = Generations(MOST_ASIDE, ASIDE_S)
        self._known: dict[Lookup, Known | None] = {}

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
        hop = NextHop(flow.host, flow.port, flow.transport)
        is_news = not self.is_aside(hop, now)
        self._aside.age(now)
        self._aside.put(hop, now, now)
        if is_news and any(known and hop in known.hops for known in self._known.values()):
            self._known = dict.fromkeys(self._known)
            self.tell()

    def known(self, lookup: Lookup, at: float) -> Known | None:
        """Where a name of the dial plan leads; None if that is not known, and is to be learned."""
        known = self._known.setdefault(lookup, None)
        return known if known and known.until > at else None

    def learn(self, lookup: Lookup, hops: Sequence[NextHop], lasts_s: float, now: float, at: float) -> None:
        """A name leads there, for so long in this order: keep that, if it was asked for."""
        if lookup not in self._known:
            return
        ordered = self.in_order(hops, now)
        ends = [left for hop in ordered if (left := (self._aside.get(hop) or 0.0) + ASIDE_S - now) > 0]
        self._known[lookup] = Known(tuple(ordered), at + min([lasts_s, *ends]))


def restored(hops: Sequence[Sequence[object]]) -> list[NextHop]:
    """Return the hops of which the log has the fields."""
    return [NextHop(*hop) for hop in hops]  # type: ignore[arg-type]
