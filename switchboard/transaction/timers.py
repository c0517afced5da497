"""Timers of the transaction layer: their values (RFC 3261 §17.1.1.1, table 4) and who waits for what."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final, Protocol

from switchboard.sip.lazy import lazy

_FEW: Final = 1000
_ENDINGS: Final = {"A": "B", "G": "H"}


@dataclass(frozen=True)
class TimerValues:
    """The basic intervals in seconds, and those derived from them for an unreliable transport."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    c: float = 185.0

    @lazy
    def lifetime(self) -> float:
        """64*T1: timers B, F, H, J, L and M, and how long a CANCEL is waited for (§9.1)."""
        return 64 * self.t1

    @lazy
    def d(self) -> float:
        """How long retransmitted final responses are acknowledged: at least 32 s."""
        return max(32.0, self.lifetime)

    @lazy
    def first_trying(self) -> float:
        """When a non-INVITE without any response gets its 100: as timer E reaches T2 (RFC 4320 §4.1)."""
        elapsed, interval = 0.0, self.t1
        while interval < self.t2:
            elapsed += interval
            interval *= 2
        return elapsed


class Waiting(Protocol):
    """Something with timers: `armed` maps a timer's letter to the instant (monotonic s) at which it fires."""

    armed: dict[str, float]


class Timers:
    """All armed timers in the order of their deadlines. Disarming is deleting the letter from `armed`."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Waiting, str]] = []
        self._order = count()
        self._limit = _FEW

    def arm(self, owner: Waiting, letter: str, when: float) -> None:
        """Let timer `letter` of `owner` fire at `when`; a running one is replaced."""
        owner.armed[letter] = when
        heappush(self._heap, (when, next(self._order), owner, letter))
        if len(self._heap) > self._limit:
            self._drop_disarmed()

    def rearm(self, owner: Waiting, armed: dict[str, float], now: float) -> None:
        """Arm what a predecessor had armed, for the same instants.

        What would be sent again stays silent if the time for that was over while no process was there (B, H).
        """
        for letter, when in armed.items():
            ending = _ENDINGS.get(letter)
            if ending is None or armed.get(ending, now + 1) > now:
                self.arm(owner, letter, when)

    def next_deadline(self) -> float | None:
        """Return when the next timer fires, None if none is armed."""
        heap = self._heap
        while heap and heap[0][2].armed.get(heap[0][3]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def due(self, now: float) -> Iterator[tuple[Waiting, str]]:
        """Yield and disarm the timers whose time has come, earliest first."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            when, _, owner, letter = heappop(heap)
            if owner.armed.get(letter) == when:
                del owner.armed[letter]
                yield owner, letter

    def _drop_disarmed(self) -> None:
        """Let go of owners that wait no more: until their deadlines, minutes away, they would fill memory."""
        self._heap[:] = [entry for entry in self._heap if entry[2].armed.get(entry[3]) == entry[0]]
        heapify(self._heap)
        self._limit = max(_FEW, 2 * len(self._heap))
