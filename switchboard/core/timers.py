"""Timers of the transaction layer: their values (RFC 3261 §17.1.1.1, table 4) and who waits for what."""

from collections import deque
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Final

_FEW: Final = 1000
_ENDINGS: Final = {"A": "B", "G": "H"}


class TimerValues:
    """The basic intervals in seconds, and those derived from them for an unreliable transport.

    `lifetime` is 64*T1: timers B, F, H, J, L and M, and how long a CANCEL is waited for (§9.1).
    `d`: how long retransmitted final responses are acknowledged, at least 32 s.
    `first_trying`: when a non-INVITE without any response gets its 100 (RFC 4320 §4.1).
    """

    __slots__ = ("c", "d", "first_trying", "lifetime", "t1", "t2", "t4")

    def __init__(self, t1: float = 0.5, t2: float = 4.0, t4: float = 5.0, c: float = 185.0) -> None:
        self.t1 = t1
        self.t2 = t2
        self.t4 = t4
        self.c = c
        self.lifetime = 64 * t1
        self.d = max(32.0, self.lifetime)
        self.first_trying = _first_trying(t1, t2)


def _first_trying(t1: float, t2: float) -> float:
    """As timer E reaches T2."""
    elapsed, interval = 0.0, t1
    while interval < t2:
        elapsed += interval
        interval *= 2
    return elapsed


class Waiting:
    """Something with timers: `armed` maps a timer's letter to the instant (monotonic s) at which it fires."""

    __slots__ = ("armed",)

    def __init__(self) -> None:
        self.armed: dict[str, float] = {}


Entry = tuple[float, int, Waiting, str]
"""When it fires, the how-manieth it is, whose it is, and its letter."""


class Timers:
    """All armed timers in the order of their deadlines. Disarming is deleting the letter from `armed`.

    Most timers of one letter last equally long, so they come in the order of their deadlines: each letter
    has a lane, to whose end they go. Those that come out of order are in a heap.
    """

    __slots__ = ("_heap", "_lanes", "_limit", "_order", "_size")

    def __init__(self) -> None:
        self._heap: list[Entry] = []
        self._lanes: dict[str, deque[Entry]] = {}
        self._order = 0
        self._size = 0
        self._limit = _FEW

    def arm(self, owner: Waiting, letter: str, when: float) -> None:
        """Let timer `letter` of `owner` fire at `when`; a running one is replaced."""
        owner.armed[letter] = when
        self._order += 1
        self._size += 1
        entry = (when, self._order, owner, letter)
        lane = self._lanes.get(letter)
        if lane is None:
            lane = self._lanes[letter] = deque()
        if not lane or lane[-1] < entry:
            lane.append(entry)
        else:
            heappush(self._heap, entry)
        if self._size > self._limit:
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
        entry = self._first()
        return None if entry is None else entry[0]

    def pop_due(self, now: float) -> tuple[Waiting, str] | None:
        """Disarm the first timer whose time has come and return its owner and its letter; None: no more."""
        entry = self._first()
        if entry is None or entry[0] > now:
            return None
        _, _, owner, letter = entry
        self._size -= 1
        lane = self._lanes[letter]
        if lane and lane[0] is entry:
            lane.popleft()
        else:
            heappop(self._heap)
        del owner.armed[letter]
        return owner, letter

    def due(self, now: float) -> Iterator[tuple[Waiting, str]]:
        """Yield and disarm the timers whose time has come, earliest first."""
        while found := self.pop_due(now):
            yield found

    def _first(self) -> Entry | None:
        """The armed timer that fires first; what was disarmed and stands before it is let go."""
        heap = self._heap
        while heap and not _is_armed(heap[0]):
            heappop(heap)
            self._size -= 1
        first = heap[0] if heap else None
        for lane in self._lanes.values():
            while lane and not _is_armed(lane[0]):
                lane.popleft()
                self._size -= 1
            if lane and (first is None or lane[0] < first):
                first = lane[0]
        return first

    def _drop_disarmed(self) -> None:
        """Let go of owners that wait no more: until their deadlines, minutes away, they would fill memory."""
        self._heap = [entry for entry in self._heap if _is_armed(entry)]
        heapify(self._heap)
        self._size = len(self._heap)
        for letter, lane in self._lanes.items():
            self._lanes[letter] = kept = deque([entry for entry in lane if _is_armed(entry)])
            self._size += len(kept)
        self._limit = max(_FEW, 2 * self._size)


def _is_armed(entry: Entry) -> bool:
    owner = entry[2]
    return owner.armed.get(entry[3]) == entry[0]
