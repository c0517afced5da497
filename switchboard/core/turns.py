"""Whose turn it is in groups: the same for all routers, by numbers that only grow.

Theory. `rotate` needs how many calls a group has had, `idle` when each user has taken a call of a group, or by a rule.
Each is one number under a name, and of two that are known the greater one counts. So routers and the registrar tell one
another their numbers in any order and as often as they like (docs/BUS.md, `turns.told`), and all come to the same. A
router counts a call at once, by itself: two calls within the milliseconds in which it tells the others may begin with
the same member. The name that has changed least lately gives way when there are too many.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from switchboard.core.call_rules import GROUP, Group

MOST: Final = 10_000
"""Groups, and users, that are remembered."""
_LONGEST: Final = 300
"""Characters of a name."""


class Turns:
    """`rotate` begins with the next member at each call; `idle` with who has taken no call of a group for longest."""

    def __init__(self, known: Mapping[str, float] | None = None) -> None:
        self._known = dict(known or {})
        self._changes: dict[str, float | None] = {}

    def __len__(self) -> int:
        return len(self._known)

    def ordered(self, group: Group, members: Mapping[str, str]) -> list[str]:
        """The destinations of a group in the order in which they are called now. `members`: by whom they mean."""
        if group.way == "idle":
            return [members[name] for name in sorted(members, key=self._number)]
        found = list(members.values())
        if group.way != "rotate" or not found:
            return found
        name = GROUP + group.name
        calls = self._number(name)
        self.raise_to(name, calls + 1)
        first = int(calls) % len(found)
        return found[first:] + found[:first]

    def note_answer(self, user: str, at: float) -> None:
        """A user has taken a call. `at`: epoch s."""
        self.raise_to(user, at)

    def raise_to(self, name: str, number: float) -> None:
        """The number of this name is at least this; others have to be told if it was less."""
        if self.learn(name, number):
            self._changes[name] = number

    def learn(self, name: str, number: float) -> bool:
        """Others know this number; whether it is news."""
        if number <= self._number(name):
            return False
        self._known.pop(name, None)
        self._known[name] = number
        if len(self._known) > MOST:
            oldest = next(iter(self._known))
            del self._known[oldest]
            self._changes[oldest] = None
        return True

    def take_changes(self) -> dict[str, float | None]:
        """What has changed since, to be told and kept; None: it was forgotten."""
        changes, self._changes = self._changes, {}
        return changes

    def all(self) -> list[tuple[str, float]]:
        """All numbers by their names."""
        return list(self._known.items())

    def _number(self, name: str) -> float:
        return self._known.get(name, 0.0)


def read_turn(item: Any) -> tuple[str, float] | None:
    """A name and its number, as they cross the bus; None for anything else."""
    match item:
        case [str(name), int() | float() as number] if len(name) <= _LONGEST and isfinite(number):
            return name, float(number)
    return None
