"""Timers (RFC 3261 §17.1.1.1, table 4): their values, the armed ones in order of time, and the dormant transactions.

Theory. A router has hundreds of thousands of timers, and most are disarmed before they fire. So disarming has to be
cheap: it deletes the letter from the owner's `armed`, and leaves the entry in the queue. An entry counts only while
`armed` has its instant; the queue drops other entries when they come to the front, and sweeps all of them when the
queue has doubled.

The queue uses that timers of one letter mostly have the same duration. So their deadlines come in ascending order,
and an entry goes to the end of its letter's lane, in constant time. Only an entry that is out of order goes to a
heap. The next deadline is the earliest of the lanes' first entries and the heap's.

Dormant transactions are not in memory. Only their keys and their next deadline are. Their content is in saved
transactions in the log, which are restored as a whole; here a saved transaction is a number.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import Any, Final, Generic, TypeVar

from switchboard.sip.dispatch import ClientKey, ServerKey

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
"""The instant at which it fires, its sequence number, its owner, and its letter."""


E = TypeVar("E", bound=tuple[Any, ...])


class DeadlineQueue(Generic[E]):
    """Entries in the order of their deadlines: each is a tuple that begins with its own, and no two are alike.

    Most entries of one lane last equally long, so they come in that order and go to its end. Those that come out of
    order are in a heap. `is_live` tells whether an entry still counts; one that does not is let go when it is met.
    """

    __slots__ = ("_heap", "_is_live", "_lanes", "_limit", "_size")

    def __init__(self, is_live: Callable[[E], bool]) -> None:
        self._is_live = is_live
        self._heap: list[E] = []
        self._lanes: dict[str, deque[E]] = {}
        self._size = 0
        self._limit = _FEW

    def push(self, lane: str, entry: E) -> None:
        """Add an entry that is live."""
        self._size += 1
        entries = self._lanes.get(lane)
        if entries is None:
            entries = self._lanes[lane] = deque()
        if not entries or entries[-1] < entry:
            entries.append(entry)
        else:
            heappush(self._heap, entry)
        if self._size > self._limit:
            self._drop_dead()

    def first(self) -> E | None:
        """The live entry whose deadline is the next, None if there is none."""
        heap, is_live = self._heap, self._is_live
        while heap and not is_live(heap[0]):
            heappop(heap)
            self._size -= 1
        first = heap[0] if heap else None
        for lane in self._lanes.values():
            while lane and not is_live(lane[0]):
                lane.popleft()
                self._size -= 1
            if lane and (first is None or lane[0] < first):
                first = lane[0]
        return first

    def _drop_dead(self) -> None:
        """Let go of what counts no more: until its deadline, minutes away, it would fill memory."""
        self._heap = [entry for entry in self._heap if self._is_live(entry)]
        heapify(self._heap)
        self._size = len(self._heap)
        for name, lane in self._lanes.items():
            self._lanes[name] = kept = deque([entry for entry in lane if self._is_live(entry)])
            self._size += len(kept)
        self._limit = max(_FEW, 2 * self._size)


class Timers:
    """All armed timers in the order of their deadlines. Disarming is deleting the letter from `armed`."""

    __slots__ = ("_order", "_queue")

    def __init__(self) -> None:
        self._queue: DeadlineQueue[Entry] = DeadlineQueue(_is_armed)
        self._order = 0

    def arm(self, owner: Waiting, letter: str, when: float) -> None:
        """Let timer `letter` of `owner` fire at `when`; a running one is replaced."""
        owner.armed[letter] = when
        self._order += 1
        self._queue.push(letter, (when, self._order, owner, letter))

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
        entry = self._queue.first()
        return None if entry is None else entry[0]

    def pop_due(self, now: float) -> tuple[Waiting, str] | None:
        """Disarm the first timer whose time has come and return its owner and its letter; None: no more."""
        entry = self._queue.first()
        if entry is None or entry[0] > now:
            return None
        _, _, owner, letter = entry
        del owner.armed[letter]
        return owner, letter

    def due(self, now: float) -> Iterator[tuple[Waiting, str]]:
        """Yield and disarm the timers whose time has come, earliest first."""
        while found := self.pop_due(now):
            yield found


def _is_armed(entry: Entry) -> bool:
    owner = entry[2]
    return owner.armed.get(entry[3]) == entry[0]


Sleeper = tuple[float, int, bool, Sequence[ServerKey], Sequence[ClientKey]]
"""Its deadline, the saved transaction, whether it ends then, and its keys."""


class Dormant:
    """Has `restore` take a saved transaction in as soon as a message or a timer concerns it. Owned by the layer.

    Of a saved transaction that ends at its deadline, `end` is told that instead.
    """

    def __init__(self, restore: Callable[[int], object], end: Callable[[int], object]) -> None:
        self.servers: dict[ServerKey, int] = {}
        self.clients: dict[ClientKey, int] = {}
        self._restore = restore
        self._end = end
        self._saved: dict[int, Sleeper] = {}
        self._queue: DeadlineQueue[Sleeper] = DeadlineQueue(self._sleeps)

    def __len__(self) -> int:
        return len(self._saved)

    def add(
        self,
        saved: int,
        servers: Sequence[ServerKey],
        clients: Sequence[ClientKey],
        due: float,
        ends: bool = False,
    ) -> None:
        """Let `saved` sleep until one of its keys is met, or until `due` (monotonic s)."""
        sleeper = (due, saved, ends, servers, clients)
        self._saved[saved] = sleeper
        for server in servers:
            self.servers[server] = saved
        for client in clients:
            self.clients[client] = saved
        self._queue.push("", sleeper)

    def meet_server(self, key: ServerKey) -> None:
        """A request for the server transaction `key` is here."""
        saved = self.servers.get(key)
        if saved is not None:
            self._take(saved)
            self._restore(saved)

    def meet_client(self, key: ClientKey) -> None:
        """A response for the client transaction `key` is here."""
        saved = self.clients.get(key)
        if saved is not None:
            self._take(saved)
            self._restore(saved)

    def meet_due(self, now: float) -> None:
        """Wake those who have a timer that has come, or let them end."""
        while True:
            first = self._queue.first()
            if first is None or first[0] > now:
                return
            self._take(first[1])
            (self._end if first[2] else self._restore)(first[1])

    def next_deadline(self) -> float | None:
        """Return when the next one is to be woken, None if nobody sleeps."""
        first = self._queue.first()
        return None if first is None else first[0]

    def _take(self, saved: int) -> None:
        _, _, _, servers, clients = self._saved.pop(saved)
        for server in servers:
            self.servers.pop(server, None)
        for client in clients:
            self.clients.pop(client, None)

    def _sleeps(self, sleeper: Sleeper) -> bool:
        return self._saved.get(sleeper[1]) is sleeper
