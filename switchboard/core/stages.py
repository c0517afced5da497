"""Where a call is in its plan (`call_plan.py`): which stage, whose targets are tried in it, and what follows it.

A stage is over when no branch of it is pending: all have ended, or its time is over. Its outcome is that somebody is
busy, that nobody answers, that there is nobody, or another failure; it decides which stage follows. The caller hears
the responses of the last stage in which anybody was called. 6xx is the word of one callee, not of all.
"""

from collections.abc import Iterable, Sequence

from switchboard.core.branch import Branch, Final
from switchboard.core.call_plan import Callee, Plan, Stage, restore_stage
from switchboard.core.commands import Fields
from switchboard.core.final_response import have_all_failed
from switchboard.core.target import Target

_BUSY = (486, 600)
_SILENT = (408, 480)
_NOWHERE = (404, 410, 430, 480, 500, 502, 503, 504)
"""Finals of our own, or of a server, that say that there is no phone."""


class Stages:
    """`begun`: the place of the first branch of this stage. `edition` grows whenever what is saved changes.

    `is_late`: its time is over.
    """

    __slots__ = ("_callees", "_decisive", "_place", "_plan", "_spares", "begun", "edition", "is_late")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._place = 0
        self._callees: dict[str, int] = {}
        self._spares: dict[int, list[Target]] = {}
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
        self._spares.clear()
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

    def keep_spares(self, place: int, targets: Iterable[Target]) -> None:
        """Other ways to that callee, for when those before them fail."""
        if found := list(targets):
            self._spares[place] = found
            self.note_callee(found, place)

    def take_spares(self, branches: Sequence[Branch]) -> list[Target]:
        """Return a way for each callee to whom the ways before it have failed; the others may ring meanwhile."""
        found = []
        for place in list(self._spares):
            tried = [each for each in branches[self.begun :] if self.place_of(each.plan.target) == place]
            finals = [each.final for each in tried if each.final]
            if finals and len(finals) == len(tried) and have_all_failed(finals):
                found.append(self._spares[place].pop(0))
                self.edition += 1
                if not self._spares[place]:
                    del self._spares[place]
        return found

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
        spares = [(place, [target.saved() for target in each]) for place, each in self._spares.items()]
        return stages, self._place, self.begun, self._decisive, list(self._callees.items()), spares

    @classmethod
    def restore(cls, saved: Fields) -> "Stages":
        """Return what wrote this."""
        stages, place, begun, decisive, callees, spares = saved
        found = cls(tuple(restore_stage(stage) for stage in stages))
        found._place = place
        found.begun = begun
        found._decisive = decisive
        found._callees = dict(callees)
        found._spares = {at: [Target.restore(target) for target in each] for at, each in spares}
        return found


def _is_nowhere(final: Final) -> bool:
    return final.message is None and final.status in _NOWHERE
