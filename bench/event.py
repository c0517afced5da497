"""What one event did to calls, registrations and records."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.blow import Way
from bench.expected import Flaw
from bench.load import Outcome


@dataclass
class Cell:
    """What happened to the calls that were in one phase. `records`: how many they should have left."""

    calls: int = 0
    records: int = 0
    lost: int = 0
    wrong: int = 0
    flaws: Counter[Flaw] = field(default_factory=Counter)

    def __iadd__(self, other: "Cell") -> "Cell":
        self.calls += other.calls
        self.records += other.records
        self.lost += other.lost
        self.wrong += other.wrong
        self.flaws += other.flaws
        return self

    def __str__(self) -> str:
        """The calls; behind them what is not as it should be."""
        return annotate(self.calls, {"lost": self.lost, "wrong": self.wrong})


@dataclass
class Event:
    """What one event did. `why`: the stories of calls that did not end as they should, other complaints."""

    target: str
    way: Way
    cells: dict[str, Cell]
    load: Outcome
    registrations: int = 0
    registrations_lost: int = 0
    connections: int = 0
    connections_lost: int = 0
    away_s: list[float] = field(default_factory=list)
    why: list[str] = field(default_factory=list)

    @property
    def records(self) -> Counter[Flaw]:
        """What is wrong with the records, of the parked calls and of the load."""
        return sum((cell.flaws for cell in self.cells.values()), self.load.flaws)

    @property
    def blemishes(self) -> list[str]:
        """All that is not as it should be, in short."""
        cells = [f"{name}: {cell}" for name, cell in self.cells.items() if cell.lost or cell.wrong]
        others = {
            "calls of the load failed": self.load.failed,
            "registrations lost": self.registrations_lost,
            "connections lost": self.connections_lost,
            **{f"records {flaw.name.lower()}": number for flaw, number in self.records.items()},
        }
        return [*cells, *(f"{number} {what}" for what, number in others.items() if number)]

    def __iadd__(self, other: "Event") -> "Event":
        for name, cell in other.cells.items():
            self.cells[name] += cell
        self.load += other.load
        self.registrations += other.registrations
        self.registrations_lost += other.registrations_lost
        self.connections += other.connections
        self.connections_lost += other.connections_lost
        self.away_s += other.away_s
        return self


def gather(events: Iterable[Event]) -> list[Event]:
    """The rounds of each event as one."""
    gathered: dict[tuple[Way, str], Event] = {}
    for event in events:
        known = gathered.setdefault((event.way, event.target), Event(event.target, event.way, {}, Outcome()))
        known.cells = known.cells or {name: Cell() for name in event.cells}
        known += event
    return list(gathered.values())


def annotate(number: int, complaints: dict[str, int]) -> str:
    """A number, and behind it those complaints that there are: `6: 1 lost`."""
    found = [f"{count} {what}" for what, count in complaints.items() if count]
    return f"{number}: {', '.join(found)}" if found else str(number)
