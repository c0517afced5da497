"""A machine whose clocks tests turn: its wall clock is set, it sleeps, it is off and starts again."""

from dataclasses import dataclass

from switchboard.clock import Sources

EPOCH = 1_800_000_000.0


@dataclass
class Machine:
    """Its clocks, all in seconds. `boots`: how often it has started."""

    wall: float = EPOCH
    up: float = 100.0
    boots: int = 1

    @property
    def sources(self) -> Sources:
        return Sources(lambda: self.up, lambda: self.wall, lambda: f"boot {self.boots}")

    def run(self, seconds: float) -> None:
        """Time passes."""
        self.wall += seconds
        self.up += seconds

    def set_clock(self, by_s: float) -> None:
        """Somebody, or a time server, sets the wall clock."""
        self.wall += by_s

    def restart(self, off_s: float, clock_off_by_s: float = 0.0) -> None:
        """It is off for so long; then its wall clock is wrong by so much."""
        self.wall += off_s + clock_off_by_s
        self.up = 5.0
        self.boots += 1
