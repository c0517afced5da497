"""A bench for one transaction: time is advanced by hand, and what leaves is kept with its instant."""

from collections.abc import Iterator
from contextlib import contextmanager

from flows import udp

from switchboard.core.client_transaction import ClientTransaction
from switchboard.core.commands import Reader, SendRequest, SendResponse, TransactionEffects
from switchboard.core.server_transaction import ServerTransaction
from switchboard.core.timers import Timers, TimerValues

FLOW = udp("192.0.2.9", 5060, "192.0.2.1")
READER = Reader("lukas", "sk")


class Bench:
    """The clock stands at `now` s; `sent` holds (instant, bytes), `timed_out` the instants of time-outs."""

    def __init__(self) -> None:
        self.values = TimerValues()
        self.timers = Timers()
        self.now = 0.0
        self.sent: list[tuple[float, bytes]] = []
        self.timed_out: list[float] = []

    @contextmanager
    def effects(self) -> Iterator[TransactionEffects]:
        """A turn now; what it decides to send is kept."""
        effects = TransactionEffects(self.now)
        yield effects
        commands: list[SendRequest | SendResponse] = [*effects.requests, *effects.responses]
        assert all(command.to.hop == FLOW.hop for command in commands)
        assert all(command.reader == READER for command in effects.responses)
        self.sent += ((self.now, command.raw) for command in commands)

    def advance(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.now + seconds
        while (deadline := self.timers.next_deadline()) is not None and deadline <= end:
            self.now = deadline
            self._fire()
        self.now = end

    def taken(self) -> list[bytes]:
        """What was sent since the last call."""
        sent, self.sent = self.sent, []
        return [raw for _, raw in sent]

    def instants(self) -> list[float]:
        """When something was sent."""
        return [instant for instant, _ in self.sent]

    def _fire(self) -> None:
        with self.effects() as effects:
            for owner, letter in self.timers.due(self.now):
                assert isinstance(owner, ClientTransaction | ServerTransaction)
                if owner.fire(letter, effects):
                    self.timed_out.append(self.now)
