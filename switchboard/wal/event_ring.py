"""Call events that the journal must get at least once: numbered, logged, and repeated until it acknowledges them.

Theory. This is a sliding window without gaps. Each event gets the next number, and is written to the router's log
with the state that caused it. `take` hands out the events above the number that was sent last. The journal
acknowledges a number when all events up to it are on its disk; then they are erased here. If no acknowledgement
makes progress for `REPEAT_S`, all events in the window are sent again. The journal knows the numbers, so a repeated
event does no harm. The window is bounded: of more than `keep` events the oldest are dropped and counted.

An event is the packed list `[kind, call_id, from_tag, at, detail…]` (docs/BUS.md, `call.happened`), here and in the
log. The journal gets the same list with the number in front. So a frame to the journal is a head and the octets of
the events, and no event is packed twice. Its key in a router's log is EVENT and the number; other contents of that
log have other first bytes, which are listed here.
"""

import struct
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from itertools import islice
from operator import itemgetter
from typing import Final, Protocol

from switchboard.codec import list_head, pack
from switchboard.wal.segment import EVENTS_KEPT, REPEAT_S

BOOT: Final = b"B"
SERIES: Final = b"S"
EVENT: Final = b"E"
NONCE: Final = b"N"
LIFE: Final = b"L"
TERM: Final = b"M"
_EVENT = struct.Struct(">cQ")


def event_key(number: int) -> bytes:
    """Return the key of the call event `number`."""
    return _EVENT.pack(EVENT, number)


def event_number(key: bytes) -> int:
    """Return the number in that key."""
    number: int = _EVENT.unpack(key)[1]
    return number


_FEW, _MANY = range(0x90, 0xA0), 0xDC
"""First octets of packed lists: of up to 15 elements, and of up to 65,535."""


class Store(Protocol):
    """As much of a KeyedLog as the events need."""

    def put(self, key: bytes, value: bytes) -> None: ...
    def erase(self, key: bytes) -> None: ...


class EventRingInPython:
    """The reference of `EventRing`: keeps events in order until their number is acknowledged, in memory and in `log`,
    which others commit; of more than `keep` the oldest are dropped.

    `now`: monotonic s. `dropped` counts. `last`: the number given last, from 1.
    """

    def __init__(self, log: Store, keep: int = EVENTS_KEPT) -> None:
        self.keep = keep
        self.dropped = 0
        self.last = 0
        self._log = log
        self._items: deque[tuple[int, bytes]] = deque()
        self._told = 0
        self._quiet_since: float | None = None

    @property
    def waiting(self) -> int:
        """How many events are not acknowledged."""
        return len(self._items)

    @property
    def has_news(self) -> bool:
        """Whether events have to be sent now."""
        return bool(self._items) and self._told < self._items[-1][0]

    def put(self, event: bytes) -> int:
        """Give `event` the next number, and return that. ValueError: it is no packed list."""
        number = self.last + 1
        self._items.append((number, _numbered(number, event)))
        self._log.put(event_key(number), event)
        self.last = number
        if len(self._items) > self.keep:
            self._log.erase(event_key(self._items.popleft()[0]))
            self.dropped += 1
        return number

    def restore(self, last: int, events: Iterable[tuple[int, bytes]]) -> None:
        """Take over what a predecessor kept: the last number it gave, and what is in the log, by number."""
        self.last = last
        self._items.extend((number, _numbered(number, event)) for number, event in sorted(events))

    def take(self, now: float, at_most: int = 256) -> tuple[int, bytes, int]:
        """Return the events to send now, oldest first: their number, their octets, the last number; 0, b"", 0: none."""
        if self._quiet_since is not None and now - self._quiet_since >= REPEAT_S:
            self._told = 0
            self._quiet_since = now
        skip = bisect_right(self._items, self._told, key=itemgetter(0))
        due = list(islice(self._items, skip, skip + at_most))
        return len(due), b"".join(octets for _, octets in due), due[-1][0] if due else 0

    def told(self, number: int, now: float) -> None:
        """The journal has been sent everything up to `number`."""
        self._told = number
        if self._quiet_since is None:
            self._quiet_since = now

    def held(self, now: float) -> None:
        """The journal has the events, and waits for its disk: they need not be sent again for now."""
        if self._quiet_since is not None:
            self._quiet_since = now

    def acknowledge(self, number: int, now: float) -> int:
        """The journal has everything up to `number`; return how many events are kept no more.

        A journal that says the same number again misses what follows it: that is no reason to wait longer.
        """
        before = len(self._items)
        while self._items and self._items[0][0] <= number:
            self._log.erase(event_key(self._items.popleft()[0]))
        done = before - len(self._items)
        if done or not self._items:
            self._quiet_since = now if self._items else None
        return done

    def next_deadline(self) -> float | None:
        """When events have to be sent again; None while nothing waits."""
        return self._quiet_since + REPEAT_S if self._quiet_since is not None else None


def _numbered(number: int, event: bytes) -> bytes:
    """Return the list with `number` before its first element. ValueError: it is no packed list."""
    if event[:1] and event[0] in _FEW:
        return list_head(event[0] - _FEW.start + 1) + pack(number) + event[1:]
    if len(event) >= 3 and event[0] == _MANY:
        return list_head(int.from_bytes(event[1:3], "big") + 1) + pack(number) + event[3:]
    raise ValueError(f"no packed list: {event[:16]!r}")


try:
    from switchboard._native import engine
except ImportError:
    EventRing = EventRingInPython
else:
    EventRing = engine.NativeEventRing  # type: ignore[assignment, misc]
