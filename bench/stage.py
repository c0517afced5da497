"""Runs the scripts of all calls of one event at once, and judges how each ended."""

import time
from collections.abc import Callable, Sequence
from enum import Enum, auto

from bench.parked import Cue, ParkedCall
from bench.phases import Phase
from bench.phones import Lab
from bench.script import Running

PARK_WITHIN_S = 15.0
END_WITHIN_S = 36.0
"""After 64*T1 no phone tries any more."""
STRAGGLERS_S = 0.5


class End(Enum):
    """How a call ended."""

    AS_IT_SHOULD = auto()
    LOST = auto()
    """Something did not come that had to."""
    WRONG = auto()
    """Somebody got what should not have come."""


class Performance:
    """A call, its script, and the verdict on it."""

    def __init__(self, phase: Phase, call: ParkedCall) -> None:
        self.phase = phase
        self.call = call
        self.end = End.AS_IT_SHOULD
        self.why: list[str] = []
        self._running = Running(phase.script(call))

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return self._running.ended

    def step(self) -> None:
        """Go on as far as possible."""
        try:
            self._running.step()
        except AssertionError as error:
            self.blame(End.WRONG, str(error))

    def blame(self, end: End, why: str) -> None:
        """It did not end as it should."""
        self.end = end if self.end is End.AS_IT_SHOULD else self.end
        self.why.append(why)

    def give_up(self) -> None:
        """It waited long enough."""
        self._running.ended = True
        self.blame(End.LOST, f"never came: {self._running.missing}")


class Stage:
    """The calls of one event."""

    def __init__(self, lab: Lab, cue: Cue, performances: Sequence[Performance]) -> None:
        self.performances = performances
        self._lab = lab
        self._cue = cue

    def park(self) -> None:
        """Bring every call into its phase; those that do not get there are lost."""
        if not self._run(lambda: all(each.call.parked or each.ended for each in self.performances)):
            for each in self.performances:
                if not each.call.parked and not each.ended:
                    each.give_up()

    def strike(self, at: float, event: Callable[[], None]) -> None:
        """Let `event` happen at the monotonic instant `at`, and drive every call to its end."""
        self._cue.at = at
        self._lab.later(at - time.monotonic(), event)
        if not self._run(self._all_ended, at - time.monotonic() + END_WITHIN_S):
            for each in self.performances:
                if not each.ended:
                    each.give_up()
        self._lab.listen(STRAGGLERS_S)
        for each in self.performances:
            self._look_back(each)

    def _all_ended(self) -> bool:
        return all(each.ended for each in self.performances)

    def _run(self, done: Callable[[], bool], timeout_s: float = PARK_WITHIN_S) -> bool:
        def step() -> bool:
            for each in self.performances:
                if not each.ended:
                    each.step()
            return done()

        return self._lab.poll(step, timeout_s) is not None

    def _look_back(self, performance: Performance) -> None:
        """What the phones complained of, and what came that nobody took."""
        line = performance.call.line
        complaints = [text for user in line.users for text in self._lab.complaints.pop(user, [])]
        unread = [f"{phone.user} got {text}" for phone in line.everyone for text in phone.unread()]
        for text in [*complaints, *unread]:
            performance.blame(End.WRONG, text)
