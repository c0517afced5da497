"""Where a call is in its plan (`call_plan.py`): which stage, whose targets are tried in it, and what follows it.

A stage is over when no branch of it is pending: all have ended, or its time is over. Its outcome is that somebody is
busy, that nobody answers, that there is nobody, or another failure; it decides which stage follows. The caller hears
the responses of the last stage in which anybody was called. 6xx is the word of one callee, not of all.
"""

from collections.abc import Iterable, Sequence

from switchboard.core.branch import Branch, Final
from switchboard.core.call_plan import Callee, Plan, Stage, restore_stage
from switchboard.core.commands import Fields
from switchboard.core.target import Target

_BUSY = (486, 600)
_SILENT = (408, 480)
_NOWHERE = (404, 410, 430, 480, 500, 502, 503, 504)
"""Finals of our own, or of a server, that say that there is no phone."""


class Stages:
    """`begun`: the place of the first branch of this stage. `edition` grows whenever what is saved changes.

    `is_late`: its time is over.
    """

    __slots__ = ("_callees", "_decisive", "_place", "_plan", "begun", "edition", "is_late")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._place = 0
        self._callees: dict[str, int] = {}
        self._decisive = 0
        self.begun = 0
        self.is_late = False
        self.edition = 1

    @property
    def stage(self) -> Stage:
        """The present one."""
        return self._plan[self._place]

    def next(self, branches: Sequence[Branch]) -> bool:
        """Begin the stage that follows, as the present one is over; False if there is none."""
        place = self._follower(branches)
        self.is_late = False
        if not place:
            return False
        self._place = place
        if len(branches) > self.begun:
            self._decisive = self.begun
        self.begun = len(branches)
        self.edition += 1
        return True

    def note_callee(self, targets: Iterable[Target], place: int) -> None:
        """These targets lead to the callee at that place of the stage; the first who does counts."""
        for target in targets:
            self._callees.setdefault(target.text, place)
        self.edition += 1

    def place_of(self, target: Target) -> int:
        """Which callee of the stage that is; the first if nothing is known of the target."""
        return self._callees.get(target.text, 0)

    def callee(self, target: Target) -> Callee:
        """The callee to whom `target` leads."""
        callees = self.stage.callees
        place = self.place_of(target)
        return callees[place] if place < len(callees) else Callee()

    def since(self, branches: Sequence[Branch]) -> int:
        """The place of the first branch whose final the caller may hear."""
        return self.begun if len(branches) > self.begun else self._decisive

    def _follower(self, branches: Sequence[Branch]) -> int:
        stage = self.stage
        if self.is_late:
            return stage.silent
        finals = [branch.final for branch in branches[self.begun :] if branch.final and not branch.has_moved]
        statuses = [final.status for final in finals]
        if any(status >= 600 and status not in _BUSY for status in statuses):
            return stage.failed
        if any(status in _BUSY for status in statuses):
            return stage.busy
        if all(map(_is_nowhere, finals)):
            return stage.absent
        return stage.silent if any(status in _SILENT for status in statuses) else stage.failed

    def saved(self) -> Fields:
        """What `restore` makes this of again."""
        stages = [stage.saved() for stage in self._plan]
        return stages, self._place, self.begun, self._decisive, list(self._callees.items())

    @classmethod
    def restore(cls, saved: Fields) -> "Stages":
        """Return what wrote this."""
        stages, place, begun, decisive, callees = saved
        found = cls(tuple(restore_stage(stage) for stage in stages))
        found._place, found.begun, found._decisive, found._callees = place, begun, decisive, dict(callees)
        return found


def _is_nowhere(final: Final) -> bool:
    return final.message is None and final.status in _NOWHERE
