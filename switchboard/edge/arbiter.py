"""Who declares a router dead, and what follows: decisions without I/O, one step a tick.

Theory. A router whose calls another one is to take over, and that other one, give a sign of life every ALIVE_S. After
`after_s` without one the edge raises its term (`terms.py`), and waits until all workers of the edge that send know
that: from then on nothing of the silent router leaves. Then the standby router is told to take over, again and again
until it says that it has. Only then are the messages for the silent router led to it. When the router is back, it
learns its new term and begins with nothing. It gets its share of the calls again as soon as nothing at the standby
router waits for a response that bears its number.

Time in which the edge itself did nothing does not count as silence. Without a living standby router nobody is
declared dead. A router acts only as long as the edge has answered its signs of life within two thirds of `after_s`
(its *lease*): it stops by itself before another one begins.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from switchboard.edge.terms import Term, Terms

ALIVE_S: Final = 0.5
TICK_S: Final = 0.25
LEASE_SHARE: Final = 2 / 3
_FRESH_S: Final = 2.5 * ALIVE_S


class TakenOver(NamedTuple):
    """What a standby router says of one whose calls it may hold. `holds`: whether responses of that may yet come."""

    router: int
    term: int
    holds: bool


@dataclass
class Steps:
    """What a tick has decided: whether the terms are new and have to be saved; of whom somebody is to take the calls
    over, and who; where the messages of a router go now; lines for the log.
    """

    are_new: bool = False
    take_over: list[tuple[int, int]] = field(default_factory=list)
    led: list[tuple[int, int]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


class Arbiter:
    """`standbys`: who takes over from whom. `senders`: the workers that have to know the terms. `now`: monotonic s."""

    def __init__(
        self, terms: Terms, standbys: Mapping[int, int], senders: Iterable[str], after_s: float, now: float
    ) -> None:
        self.terms = terms
        self.version = 1
        """Of the terms."""
        self._standbys = standbys
        self._after_s = after_s
        self._known = dict.fromkeys(senders, 0)
        self._silent_s = dict.fromkeys((*standbys, *standbys.values()), 0.0)
        self._heard: set[int] = set()  # since the last tick
        self._heard_term: dict[int, int] = {}
        self._taken: dict[int, TakenOver] = {}
        self._is_led = {number for number, each in terms.items() if each.holder != number}
        self._ticked_at = now

    @property
    def led(self) -> dict[int, int]:
        """Routers whose messages go to another one."""
        return {number: self.terms[number].holder for number in self._is_led}

    def heard(self, router: int, term: int, taken: Iterable[TakenOver]) -> Term | None:
        """A sign of life. Returns what the router is told; None: it is none of those that take part."""
        if router not in self._silent_s:
            return None
        self._silent_s[router] = 0.0
        self._heard.add(router)
        self._heard_term[router] = term
        for each in taken:
            if each.router in self.terms and self.terms[each.router].holder == router:
                self._taken[each.router] = each
        return self.terms.get(router, Term(0, router))

    @property
    def unaware(self) -> list[str]:
        """The workers that do not have this version."""
        return [sender for sender, version in self._known.items() if version != self.version]

    def known(self, sender: str, version: int) -> None:
        """A worker of the edge has this version of the terms."""
        if sender in self._known:
            self._known[sender] = version

    def tick(self, now: float, at: float) -> Steps:
        """Decide. `at`: epoch s, from which new terms are taken, so that none comes twice."""
        passed_s, self._ticked_at = min(now - self._ticked_at, 2 * TICK_S), now
        for router in self._silent_s.keys() - self._heard:
            self._silent_s[router] += passed_s
        self._heard.clear()
        steps = Steps()
        for number, standby in self._standbys.items():
            self._look(number, standby, int(at), steps)
        return steps

    def notes(self) -> list[str]:
        """For people: whose calls are at another router."""
        return [
            f"router.{number} was declared dead: its calls are at router.{each.holder}"
            for number, each in self.terms.items()
            if each.holder != number
        ]

    def stats(self) -> dict[str, float]:
        """Routers whose calls are elsewhere."""
        return {"taken_over": sum(each.holder != number for number, each in self.terms.items())}

    def _look(self, number: int, standby: int, at: int, steps: Steps) -> None:
        term, holder = self.terms[number]
        if holder == number:
            if self._silent_s[number] >= self._after_s and self._silent_s[standby] < _FRESH_S:
                steps.lines.append(f"router.{number} is silent: router.{standby} takes its calls over")
                self._set(number, Term(max(term + 1, at), standby), steps)
            return
        taken = self._taken.get(number)
        if taken is None or (holder == standby and taken.term != term):
            if holder == standby and not self.unaware:
                steps.take_over.append((number, standby))
        elif number not in self._is_led:
            self._lead(number, holder, steps)
        elif not taken.holds and self._silent_s[number] < _FRESH_S and self._heard_term.get(number) == term:
            steps.lines.append(f"router.{number} takes calls again")
            self._lead_back(number, steps)

    def _lead(self, number: int, holder: int, steps: Steps) -> None:
        """What it had taken over itself goes there, too."""
        self._is_led.add(number)
        steps.led.append((number, holder))
        self.version += 1
        for other, each in list(self.terms.items()):
            if each.holder == number and other == holder:
                self._lead_back(other, steps)
            elif each.holder == number and other != number:
                self._set(other, Term(each.term, holder), steps)
                steps.led.append((other, holder))

    def _lead_back(self, number: int, steps: Steps) -> None:
        self._is_led.discard(number)
        steps.led.append((number, number))
        self._set(number, Term(self.terms[number].term, number), steps)

    def _set(self, number: int, term: Term, steps: Steps) -> None:
        self.terms[number] = term
        self._taken.pop(number, None)
        self._silent_s[number] = 0.0
        self.version += 1
        steps.are_new = True


def read_taken(value: Any) -> list[TakenOver] | None:
    """What a sign of life carries of this; None if it is no such thing."""
    if not isinstance(value, list):
        return None
    if not all(isinstance(each, list) and tuple(map(type, each)) == (int, int, bool) for each in value):
        return None
    return [TakenOver(*each) for each in value]
