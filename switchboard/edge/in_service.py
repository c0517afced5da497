"""Which routers a worker of the edge gives new calls to: those that are there, and are not drained.

Theory. Each router casts a beat (`router.beat`) every BEAT_EVERY_S. The edge looks as often, and counts looks, not
time, so that a machine that stood still takes nobody for dead. A router on another host is away when the link to it has
been down for two looks, or when it has been silent for six, although the link may look up: a host without power says
nothing. So an INVITE of just before is repeated in time, which phones do 3.5 s after the first. A router of this host
has a parent that starts it again, which takes over its calls; others get new ones only after AWAY_HERE looks.

A router that is away gets nothing: its share of the new calls goes to others, and so do the requests in its dialogs,
whose state is in their Record-Route. When it beats again and is ready (it knows the bindings of now, and reaches who
sends), it gets its share again, but for the calls that others have begun meanwhile (`held_calls.py`). While nobody is
heard, the edge itself may be cut off: no looks are counted, and messages wait for the routers that were there last.

A router that has a standby router (`arbiter.py`) is away as soon as that one, its *heir*, has its calls, and until the
heir needs nothing more that is addressed to it. Meanwhile the heir gets the responses that bear its number. It is away
without an heir only if the standby router is away, too, or nobody takes its calls over for long (PATIENCE).
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from switchboard.edge.held_calls import HeldCalls
from switchboard.sip.dispatch import NO_WAY, Dispatcher

LOOK_EVERY_S: Final = 0.5
BEAT_EVERY_S: Final = 0.5
AWAY: Final = 6
"""Looks in a row without a beat of a router on another host; one at which the link is down counts UNREACHED times."""
GIVEN_UP_S: Final = 2.0
"""What a router on another host has not acknowledged by then is lost with the connection. It would come when others
have long served its repetitions. Less than the AWAY looks take."""
AWAY_HERE: Final = 20
STEADY: Final = 4
"""Looks in a row with a beat before a router is back: those of before its host was cut off come in one go."""
UNREACHED: Final = 3
PATIENCE: Final = 10
"""So many times longer one is waited for that has a standby router, if that is there."""


class InService:
    """Tells `dispatcher` and `held_calls`. `routers`: all that the settings let take new calls; `here`: those of this
    host; `is_reached` tells of a number whether the link is up; `gone` is told who is away, once others are in its
    place; `leaving` take no new calls and end; `standbys`: which router takes over from which. `now`: monotonic s.

    `away`: who is declared dead. `changes`: how often somebody was, or came back.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        held_calls: HeldCalls,
        routers: Iterable[int],
        here: Iterable[int],
        is_reached: Callable[[int], bool],
        gone: Callable[[int], None],
        leaving: Iterable[int] = (),
        standbys: Mapping[int, int] | None = None,
    ) -> None:
        self._dispatcher, self._held_calls = dispatcher, held_calls
        self._is_reached, self._gone = is_reached, gone
        self._here = frozenset(here)
        self._silent = dict.fromkeys(sorted(routers), 0)
        self._steady = dict.fromkeys(self._silent, 0)  # looks in a row with a beat
        self._met: set[int] = set()
        self._drained: set[int] = set()
        self._leaving = frozenset(leaving)
        self._standbys = standbys or {}
        self._heirs: Mapping[int, int] = {}
        self.away = (
            self._silent.keys() - held_calls.wanted
        )  # they were when the one before us ended, or are new
        self.changes = 0
        self._quiet = 0  # looks in a row in which nobody was heard
        self._next_look = math.inf

    @property
    def is_changing(self) -> bool:
        """Whether routers that leave may still be there."""
        return self._held_calls.is_changing

    @property
    def next_at(self) -> float:
        """When `handle_timer` has something to do."""
        return min(self._next_look, self._held_calls.next_at)

    def start(self, now: float) -> None:
        """Wait for what routers hold, if need be; look from now on."""
        self._held_calls.start(now)
        self._next_look = now + LOOK_EVERY_S

    def hear(self, router: int, is_drained: bool, is_ready: bool) -> bool:
        """A beat; False: there is no such router. One that is not ready does not come back; if it is here, it stays."""
        if router not in self._silent:
            return router in self._leaving
        if router in self.away and not is_ready:
            return True
        self._silent[router] = -1
        self._met.add(router)
        (self._drained.add if is_drained else self._drained.discard)(router)
        return True

    def lead(self, leaving: Iterable[int], now: float) -> None:
        """These are found, too, which take no new calls: they may hold some."""
        self._leaving = frozenset(leaving)
        for each in self._leaving:
            self._dispatcher.ways[each] = each
        self._change(now)

    def lead_to_heirs(self, heirs: Mapping[int, int], now: float) -> None:
        """The calls of these routers are at other ones, of all others they are where they were."""
        if heirs != self._heirs:
            self._heirs = dict(heirs)
            self._decide(now)
            for router in self.away:
                self._dispatcher.ways[router] = self._heirs.get(router, NO_WAY)

    def heir(self, router: int) -> int | None:
        """Who has the calls of that router; None: nobody but itself."""
        return self._heirs.get(router)

    def handle_timer(self, now: float) -> None:
        """Look, and do what is due."""
        self._held_calls.handle_timer(now)
        if self._leaving and not self._held_calls.is_changing:
            for each in self._leaving:
                self._dispatcher.ways[each] = NO_WAY
            self._leaving = frozenset()
        if now >= self._next_look:
            self._next_look = now + LOOK_EVERY_S
            self._look(now)

    def close(self) -> None:
        """Let go of the sockets."""
        self._held_calls.close()

    def notes(self) -> list[str]:
        """For people: who gets no new calls, and why."""
        notes = [self._held_calls.note()]
        if self.away:
            notes.append(f"{_names(self.away)} away: the calls go to the other routers")
        if self._drained - self.away:
            notes.append(f"{_names(self._drained - self.away)} drained: new calls go to the other routers")
        return [*filter(None, notes)]

    def stats(self) -> dict[str, float]:
        """How many are away, and how often one was declared so, or came back."""
        return {"routers_away": len(self.away), "router_changes": self.changes}

    def _look(self, now: float) -> None:
        self._quiet = 0 if any(silent < 0 for silent in self._silent.values()) else self._quiet + 1
        if self._quiet > 1:
            return
        for router, silent in self._silent.items():
            self._steady[router] = self._steady[router] + 1 if silent < 0 else 0
            self._silent[router] += self._missed(router)
        self._decide(now)

    def _decide(self, now: float) -> None:
        away = {router for router in self._silent if self._is_away(router)}
        if away == self._silent.keys():
            return
        gone, back = away - self.away, self.away - away
        self.away = away
        self.changes += len(gone) + len(back)
        for each in back:
            self._dispatcher.ways[each] = each
        for each in gone:
            self._dispatcher.ways[each] = self._heirs.get(each, NO_WAY)
        if gone or back or self._wanted() != self._held_calls.wanted:
            self._change(now)
        for each in gone:
            self._gone(each)

    def _missed(self, router: int) -> int:
        """One that never beat is of an older version: it counts only as long as it cannot be reached."""
        if self._silent[router] < 0:
            return 1
        is_reached = self._is_reached(router)
        if router in self._here or is_reached:
            return int(router in self._met or not is_reached)
        return UNREACHED

    def _is_away(self, router: int) -> bool:
        if router in self._heirs:
            return True
        if router in self.away and not (self._steady[router] >= STEADY and self._is_reached(router)):
            return True
        looks = AWAY_HERE if router in self._here else AWAY
        standby = self._standbys.get(router)
        is_inherited = standby is not None and self._silent[standby] < AWAY
        return self._silent[router] >= looks * (PATIENCE if is_inherited else 1)

    def _wanted(self) -> frozenset[int]:
        there = frozenset(self._silent.keys() - self.away)
        return there - self._drained or there

    def _change(self, now: float) -> None:
        there = self._silent.keys() - self.away
        self._held_calls.change(self._wanted(), there | self._leaving, now)


def _names(routers: Iterable[int]) -> str:
    names = [f"router.{each}" for each in sorted(routers)]
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"
