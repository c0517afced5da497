"""Keeps a router's replica up to date where there are several registrars, of which it follows one at a time.

Theory. The registrars share a location, so each has all bindings. Each numbers its changes itself, and a number tells
whose change it is (`store.NUMBERS`). The router follows one of them, as it would follow the only one. When that falls
silent, it follows the next one, from a snapshot; what it knows serves meanwhile.

What another registrar has changed comes by the location, 0.1 s later. So the router hears the other ones, too, and
takes their changes before: who gets a 200 may be called at once. The registrar that is followed confirms each of them
when it tells the same user. One that it does not confirm may have come too late, or the location is away from that
registrar. Then the one that told it is followed: it has that change, and all that others have made since.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from switchboard.registrar.follower import SILENT_S, Follower, Silence
from switchboard.registrar.replica import Replica
from switchboard.registrar.store import registrar_of
from switchboard.registrar.user_table import users_in

CONFIRMED_S: Final = 3.0
"""A change of another registrar that is not confirmed within this time will not be."""
MOST_UNCONFIRMED: Final = 20_000
"""Users; the changes of more are not waited for."""


class Following:
    """A `Follower` of one of several registrars. `order`: their numbers, the one that is preferred first.

    `make` returns what follows the registrar of that number; `listen` is told whom to hear.
    """

    def __init__(
        self,
        replica: Replica,
        order: Sequence[int],
        make: Callable[[int], Follower],
        listen: Callable[[int], None],
    ) -> None:
        self.registrar = order[0]
        """Whom it follows."""
        self.changes = 0
        """How often it has taken another one."""
        self._replica, self._order = replica, order
        self._make, self._listen = make, listen
        self._follower = make(self.registrar)
        self._snapshots = 0  # of former followers
        self._silence = Silence()
        self._heard: set[int] = set()
        self._unconfirmed: dict[
            str, tuple[int, float]
        ] = {}  # who has told it, and until when; the oldest first

    @property
    def snapshots(self) -> int:
        return self._snapshots + self._follower.snapshots

    @property
    def is_current(self) -> bool:
        """Also whether it hears all of the others."""
        return self._follower.is_current and len(self._heard) == len(self._order)

    def is_fresh(self, now: float) -> bool:
        return self._follower.is_fresh(now)

    def start(self, now: float) -> None:
        self._silence.heard(now)
        self._follower.start(now)

    def take_over(self, now: float) -> None:
        self._follower.take_over(now)

    def changed(self, number: int, records: bytes, start: int, now: float) -> None:
        teller = registrar_of(number)
        if teller != self.registrar:
            self._anticipate(teller, records, start, now)
            return
        self._silence.heard(now)
        before = self._replica.number
        self._follower.changed(number, records, start, now)
        if self._unconfirmed and self._replica.number != before:  # else it is older than what is known
            for user in users_in(records[start:]):
                self._unconfirmed.pop(user, None)

    def learned(self, number: int, records: bytes, start: int, now: float) -> None:
        if registrar_of(number) == self.registrar:
            self.changed(number, records, start, now)

    def _anticipate(self, teller: int, records: bytes, start: int, now: float) -> None:
        if teller not in self._order or not self._replica.is_loaded:
            return
        for user in self._replica.anticipate(records, start):
            if len(self._unconfirmed) < MOST_UNCONFIRMED:
                self._unconfirmed.setdefault(user, (teller, now + CONFIRMED_S))

    def told(self, number: int, now: float) -> None:
        teller = registrar_of(number)
        self._heard.add(teller)
        if teller == self.registrar:
            self._silence.heard(now)
            self._follower.told(number, now)

    def told_clock(self, at: float, now: float) -> None:
        self._follower.told_clock(at, now)

    def take_page(self, item: Sequence[Any], now: float) -> None:
        if registrar_of(item[0]) == self.registrar:
            self._follower.take_page(item, now)

    def next_deadline(self) -> float:
        first = self._silence.since + SILENT_S
        for _, until in self._unconfirmed.values():
            first = min(first, until)
            break
        deadline = self._follower.next_deadline()
        return first if deadline is None else min(first, deadline)

    def handle_timer(self, now: float) -> None:
        self._follower.handle_timer(now)
        if self._silence.lasts_s(now) >= SILENT_S:
            self._follow(self._order[(self._order.index(self.registrar) + 1) % len(self._order)], now)
        elif overdue := [teller for teller, until in self._unconfirmed.values() if until <= now]:
            self._follow(overdue[-1], now)

    def _follow(self, registrar: int, now: float) -> None:
        self._snapshots += self._follower.snapshots
        self.registrar, self._follower = registrar, self._make(registrar)
        self.changes += 1
        self._unconfirmed.clear()
        self._silence.heard(now)
        self._listen(registrar)
        self._follower.take_over(now)

    def notes(self, now: float) -> list[str]:
        return self._follower.notes(now)
