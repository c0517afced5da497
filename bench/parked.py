"""A call that waits in one phase for the event, and is driven to its end then."""

import time
from dataclasses import dataclass, field

from system.user_agent import UserAgent

from bench.leg import Leg
from bench.phones import Line
from bench.script import Script, pause, until


@dataclass
class Cue:
    """The instant of the event (monotonic s), unknown until all calls are parked."""

    at: float | None = None


@dataclass
class ParkedCall:
    """One call of a cell. `offset_s`: when it goes on, from the event; `turn` varies how it ends."""

    line: Line
    cue: Cue
    turn: int
    offset_s: float
    legs: list[Leg] = field(default_factory=list)
    parked: bool = False

    def leg(self, forks: bool = False) -> Leg:
        """The call between the line's phones."""
        callees = [self.line.callee, self.line.second] if forks else [self.line.callee]
        leg = Leg(self.line.caller, [phone for phone in callees if phone])
        self.legs.append(leg)
        return leg

    def ruled(self, dialled: str, *callees: UserAgent | None) -> Leg:
        """The call that rules lead to these phones."""
        leg = Leg(self.line.caller, [phone for phone in callees if phone], dialled)
        self.legs.append(leg)
        return leg

    def by_trunk(self) -> Leg:
        """The call to the phone behind the provider."""
        assert self.line.outside is not None
        leg = Leg(
            self.line.caller,
            [self.line.outside],
            f"sip:{self.line.outside.dialled}@{self.line.caller.domain}",
        )
        self.legs.append(leg)
        return leg

    def from_trunk(self) -> Leg:
        """The call from there."""
        assert self.line.outside is not None
        leg = Leg(self.line.outside, [self.line.callee])
        self.legs.append(leg)
        return leg

    def transferred(self) -> Leg:
        """The call from the line's callee to its third phone."""
        assert self.line.third is not None
        leg = Leg(self.line.callee, [self.line.third])
        self.legs.append(leg)
        return leg

    def park(self, early_s: float = 0.0) -> Script[None]:
        """Wait for the event, and the call's own offset; with `early_s` not quite so long."""
        self.parked = True
        at = yield from until(lambda: self.cue.at, "the event")
        yield from pause(self.line.caller.net, at + self.offset_s - early_s - time.monotonic())
