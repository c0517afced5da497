"""Which registrars of several the edge gives REGISTERs to: those that are there, and can write.

Theory. The registrars share a location, so whoever takes a REGISTER is right. Each casts a beat (`registrar.beat`)
every BEAT_EVERY_S; the edge looks as often, and counts looks, as with routers (`in_service.py`). A registrar to which
the link is down for two looks, or which is silent for AWAY, is *away*: its users go to the other ones, and so does what
waits for it here. One that cannot write has none of them either as long as another one can. While nobody is heard, the
edge itself may be cut off: then all stays as it was.
"""

import math
from collections.abc import Callable
from typing import Final

from switchboard.edge.in_service import AWAY, LOOK_EVERY_S, STEADY, UNREACHED
from switchboard.sip.dispatch import Dispatcher

FIRST: Final = 4 * AWAY
"""Looks, counted as above, that a registrar has for its first beat: it may start with us."""


class Registrars:
    """Tells `dispatcher`, which knows how many there are. `is_reached` tells of a number whether the link is up; `gone`
    is told who is away, once others are in its place. `now`: monotonic s.

    `away`: who is. `changes`: how often somebody was passed over, or came back.
    """

    def __init__(
        self, dispatcher: Dispatcher, is_reached: Callable[[int], bool], gone: Callable[[int], None]
    ) -> None:
        self.away: frozenset[int] = frozenset()
        self.changes = 0
        self.next_at = math.inf if dispatcher.registrars == 1 else 0.0
        self._dispatcher, self._is_reached, self._gone = dispatcher, is_reached, gone
        self._all = self._serving = frozenset(range(dispatcher.registrars))
        self._passed: frozenset[int] = frozenset()
        self._silent = dict.fromkeys(self._all, AWAY - FIRST)  # looks
        self._steady = dict.fromkeys(self._all, 0)  # looks in a row with the word that it can write
        self._heard: dict[int, bool] = {}

    def hear(self, registrar: int, can_write: bool) -> bool:
        """A beat; False: there is no such registrar."""
        if registrar in self._all:
            self._heard[registrar] = can_write
        return registrar in self._all

    def handle_timer(self, now: float) -> None:
        """Look, if it is time."""
        if now < self.next_at:
            return
        self.next_at = now + LOOK_EVERY_S
        heard, self._heard = self._heard, {}
        for each in self._all:
            self._count(each, heard.get(each))
        self._passed = frozenset(each for each in self._all if self._is_passed(each, heard.get(each)))
        self._decide(frozenset(each for each in self._all if self._silent[each] >= AWAY))

    def _count(self, registrar: int, can_write: bool | None) -> None:
        self._steady[registrar] = self._steady[registrar] + 1 if can_write else 0
        if can_write is not None:
            self._silent[registrar] = 0
        else:
            self._silent[registrar] += 1 if self._is_reached(registrar) else UNREACHED

    def _is_passed(self, registrar: int, can_write: bool | None) -> bool:
        if registrar in self._passed and self._steady[registrar] < STEADY:
            return True
        return can_write is False or self._silent[registrar] >= AWAY

    def _decide(self, away: frozenset[int]) -> None:
        serving = self._all - self._passed or self._all - away
        if not serving:
            return
        gone, self.away = away - self.away, away
        if serving != self._serving:
            self.changes += len(serving ^ self._serving)
            self._serving = serving
            self._dispatcher.let_register(serving)
        for each in gone:
            self._gone(each)

    def notes(self) -> list[str]:
        """For people: who gets no REGISTERs, and why."""
        away = [f"registrar.{each} is away" for each in sorted(self.away)]
        mute = [f"registrar.{each} cannot write, or has just begun" for each in self._mute()]
        return [f"{each}: its users go to the other registrars" for each in (*away, *mute)]

    def _mute(self) -> list[int]:
        return sorted(self._all - self._serving - self.away)

    def stats(self) -> dict[str, float]:
        """How many are passed over, and how often one was, or came back; nothing where there is one only."""
        if len(self._all) == 1:
            return {}
        return {
            "registrars_away": len(self._all - self._serving),
            "registrar_changes": self.changes,
        }
