"""The targets of one request that wait for their turn, and which of its branches led to them (RFC 3261 §16.5-7).

Targets of equal q form a group, which is tried at once; the groups follow one another. A target is tried once, by
whatever way the request came to it. A redirection is no final response any more if something was sent to where it
leads (§16.7 step 4), so it is kept which branch led to a target. Of a call that obeys rules (`stages.py`) the targets
of its stage are here.
"""

from collections.abc import Iterable, Sequence

from switchboard.core.commands import Fields
from switchboard.core.target import Target, by_priority


class WaitingTargets:
    """`edition` grows whenever what is saved changes. Branches are known by their place."""

    __slots__ = ("_groups", "_led", "_tried", "edition")

    def __init__(self) -> None:
        self._groups: list[list[Target]] = []
        self._tried: dict[str, None] = {}  # in order: what is saved is the same after a restart
        self._led: dict[str, int] = {}
        self.edition = 1

    def __bool__(self) -> bool:
        return bool(self._groups)

    @property
    def known(self) -> int:
        """How many targets the request has had, those that wait included."""
        return len(self._tried)

    @property
    def are_spare(self) -> bool:
        """Whether the next group is only there for the failure of those before it."""
        return self._groups[0][0].is_spare

    def add(self, targets: Iterable[Target], most: int) -> bool:
        """Put at most so many of `targets`, of those that are new, behind those that wait; False if there is none."""
        fresh = [target for target in targets if target.text not in self._tried][: max(0, most)]
        self._tried |= dict.fromkeys([target.text for target in fresh])
        self._groups += by_priority(fresh)
        self.edition += 1
        return bool(fresh)

    def take(self, most: int) -> list[Target]:
        """Take the next group, or so many of it; who finds no place comes next."""
        group = self._groups.pop(0)
        if len(group) > most:
            self._groups.insert(0, group[most:])
        self.edition += 1
        return group[:most]

    def clear(self) -> None:
        """Nobody waits any more."""
        if self._groups:
            self._groups.clear()
            self.edition += 1

    def note_leader(self, place: int, targets: Sequence[Target]) -> None:
        """The branch at `place` redirected to these; the first that did counts."""
        for target in targets:
            self._led.setdefault(target.text, place)

    def leader(self, target: Target) -> int | None:
        """The place of the branch that redirected to `target`; None if none did."""
        return self._led.get(target.text)

    def saved(self) -> tuple[list[list[Fields]], list[str], list[tuple[str, int]]]:
        """What `restore` makes this of again."""
        groups = [[target.saved() for target in group] for group in self._groups]
        return groups, list(self._tried), list(self._led.items())

    @classmethod
    def restore(
        cls, groups: Iterable[Iterable[Fields]], tried: Iterable[str], led: Iterable[tuple[str, int]]
    ) -> "WaitingTargets":
        """Return what wrote this."""
        waiting = cls()
        waiting._groups = [[Target.restore(target) for target in group] for group in groups]
        waiting._tried, waiting._led = dict.fromkeys(tried), dict(led)
        return waiting
