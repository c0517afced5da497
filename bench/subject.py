"""What a session needs of the switchboard, or of another proxy, to which its events happen."""

from types import TracebackType
from typing import Protocol, Self

from system.sipmsg import Address

from bench.blow import Way
from bench.ledger import Ledger
from bench.phones import Lab


class Blow(Protocol):
    """One event."""

    errors: list[str]

    def strike(self, lab: Lab) -> None:
        """Let it happen now."""

    @property
    def over(self) -> bool:
        """Whether everything is back in service."""

    def away_s(self) -> list[float]:
        """How long each process that went was away."""


class Subject(Protocol):
    """It runs inside the `with` block."""

    routers: int
    """Among how many the calls are shared out by their Call-ID."""
    has_rules: bool
    """Whether it has the commands that set rules of users."""
    provider: Address | None
    """At which it has a trunk, as `bench/outside.py` says."""
    ledger: Ledger | None
    """Its call detail records, if it keeps any."""

    @property
    def address(self) -> Address:
        """Where phones send to."""

    @property
    def targets(self) -> list[str]:
        """What can go: names."""

    def ways_of(self, target: str) -> list[Way]:
        """How it can go."""

    def spread_s(self, target: str, way: Way) -> float:
        """Over how long a time after the event messages are in flight: while it has its effect."""

    def blow(self, target: str, way: Way) -> Blow:
        """Prepare an event."""

    def command(self, *arguments: str) -> None:
        """Run `switchboard ARGUMENTS`."""

    def log(self) -> str:
        """What it printed."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class WithoutRules:
    """A subject whose users have no rules, and which has no trunk."""

    has_rules = False
    provider: Address | None = None

    def command(self, *arguments: str) -> None:
        """There is none."""
        raise NotImplementedError(arguments)
