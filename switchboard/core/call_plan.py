"""The plan of a call that obeys rules of users and groups: stages, one after the other, as `planner.py` makes them.

A stage that follows another one comes later in the list, so every call ends. The plan is part of the saved transaction
(`saved_transaction.py`).
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Why(StrEnum):
    """Why a call went on to somebody else. `GROUP`: nobody of a group has taken it. `TAKEN`: this member has."""

    ALWAYS = "always"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    UNREGISTERED = "unregistered"
    DND = "dnd"
    GROUP = "group"
    TAKEN = "taken"


class Forward(NamedTuple):
    """The rule of `by` leads to the destination `to`, where it rang for `after_s` seconds (0: it did not matter)."""

    by: str
    to: str
    why: str
    after_s: int = 0


class Callee(NamedTuple):
    """Who is called: a `user` of ours, or else the first of `uris` that can be reached.

    `groups`: "group:NAME" of those by which the call comes there, the innermost first.
    """

    user: str = ""
    uris: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def lamps(self) -> tuple[str, ...]:
        """Whose lamps light while it is called, or speaks."""
        return (self.user, *self.groups) if self.user else self.groups

    def through(self, group: str) -> "Callee":
        """The same as a member of a group."""
        return self._replace(groups=(*self.groups, group))


class Stage(NamedTuple):
    """Who is called at once, for how long (0: as long as phones ring), and the places of the stages that may follow.

    `forwards`: all that have led here; the last `fresh` of them since the stage before. `status`, `reason`: what the
    caller hears if nobody has been called in the whole call. No stage leads to place 0.
    """

    callees: tuple[Callee, ...] = ()
    limit_s: int = 0
    forwards: tuple[Forward, ...] = ()
    fresh: int = 0
    busy: int = 0
    silent: int = 0
    absent: int = 0
    failed: int = 0
    status: int = 480
    reason: str = ""

    def saved(self) -> tuple[object, ...]:
        """What `restore_stage` makes this of again."""
        return tuple(self)


Plan = tuple[Stage, ...]
Way = tuple[tuple[Forward, ...], int]
"""`forwards` and `fresh` of a stage."""


def restore_stage(saved: Iterable[object]) -> Stage:
    """Return the stage that wrote this, with lists or tuples."""
    callees, limit_s, forwards, *rest = saved
    called = tuple(Callee(user, *map(tuple, more)) for user, *more in callees)  # type: ignore[attr-defined]
    ways = tuple(Forward(*forward) for forward in forwards)  # type: ignore[attr-defined]
    return Stage(called, limit_s, ways, *rest)  # type: ignore[arg-type]
