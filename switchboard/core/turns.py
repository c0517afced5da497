"""Whose turn it is in groups: what one router remembers of its own calls, in memory."""

from collections.abc import Mapping
from typing import Final

from switchboard.bounded import Cache
from switchboard.core.call_rules import Group

_MOST: Final = 10_000
"""Groups, and users, that are remembered."""


class Turns:
    """`rotate` begins with the next member at each call; `idle` with who has taken no call of a group for longest."""

    def __init__(self) -> None:
        self._first: Cache[str, int] = Cache(_MOST)
        self._answered: Cache[str, float] = Cache(_MOST)

    def ordered(self, group: Group, members: Mapping[str, str]) -> list[str]:
        """The destinations of a group in the order in which they are called now. `members`: by whom they mean."""
        if group.way == "idle":
            return [members[name] for name in sorted(members, key=self._answered_at)]
        found = list(members.values())
        if group.way != "rotate" or not found:
            return found
        first = (self._first.get(group.name) or 0) % len(found)
        self._first.keep(group.name, first + 1)
        return found[first:] + found[:first]

    def note_answer(self, user: str, now: float) -> None:
        """A user has taken a call. `now`: monotonic s."""
        self._answered.keep(user, now)

    def _answered_at(self, name: str) -> float:
        return self._answered.get(name) or 0.0
