"""What a router ships to its standby router on another host: the saved transactions of calls, and their events.

Theory. A successor on the same host finds all that it needs in the router's log. A standby router on another host
cannot read that, so the router ships what changes in it, as octets: saved transactions of INVITEs and CANCELs that we
have sent (of others, phones repeat the request), and all call events that the journal has not acknowledged. A finished
one is shipped with its end, and let go of LINGER_S later.

What is to be shipped is a set of numbers, not a queue: one that changes twice before it leaves is shipped once, as it
is then. So a slow link needs no more memory. Each batch has a number. A standby router that misses one, or is new,
asks for everything (`begin`); the batch with the number 0 makes it forget what it had.

Shipping does not delay a call: a batch leaves with the messages that belong to it. So the standby router may lack what
was decided in the last milliseconds.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import Any, Final, NamedTuple

from switchboard.codec import unpack
from switchboard.core.server_transaction import ServerState
from switchboard.core.transaction_log import BASE, STATE, Store, number_in
from switchboard.wal.segment import records_in

MOST_UNITS: Final = 20_000
"""Saved transactions that are shipped at one time; others are counted."""
MOST_EVENTS: Final = 20_000
UNITS_A_BATCH: Final = 200
EVENTS_A_BATCH: Final = 500
LINGER_S: Final = 5.0
"""How long a finished one is kept: its last response may have been lost with the host."""
_SERVER_FIELDS = 4


class Unit(NamedTuple):
    """A saved transaction, both parts as the log has them; of a batch, `base` is empty if it was shipped before."""

    number: int
    base: bytes
    state: bytes


class Batch(NamedTuple):
    """What has changed. `first`: the number of the first of the `events`."""

    number: int
    units: list[Unit]
    gone: list[int]
    first: int
    events: list[bytes]


class ShippedLog:
    """A router's log that notes what the standby router is to know. Of what it had before, what is read is noted."""

    def __init__(self, log: Store) -> None:
        self.unshipped = 0
        """Saved transactions beyond MOST_UNITS."""
        self.lost_events = 0
        self._log = log
        self._units: dict[int, tuple[bytes, bytes]] = {}
        self._finished: dict[int, float] = {}
        self._changed: dict[int, bool] = {}  # whether the base has
        self._gone: dict[int, None] = {}
        self._events: deque[tuple[int, bytes]] = deque()
        self._next = 0  # number of the next batch
        self._is_taking_over = True

    def put(self, key: bytes, value: bytes) -> None:
        """As of the log."""
        self._log.put(key, value)
        self._note(key, value)

    def erase(self, key: bytes) -> None:
        """As of the log."""
        self._log.erase(key)
        self._note(key, None)

    def put_records(self, records: bytes) -> None:
        """As of the log."""
        self._log.put_records(records)
        for key, value in records_in(records):
            self._note(key, value)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._log)

    def __getitem__(self, key: bytes) -> bytes:
        value = self._log[key]
        if self._is_taking_over:
            self._note(key, value)
        return value

    def __len__(self) -> int:
        return len(self._units)

    def begin(self, events: Iterable[tuple[int, bytes]] = ()) -> None:
        """Ship everything again. `events`: those that the journal has not acknowledged, by number."""
        self._is_taking_over = False
        self._next = 0
        self._gone.clear()
        self._changed = dict.fromkeys(self._units, True)
        self._events = deque(sorted(events)[-MOST_EVENTS:])

    def note_events(self, events: Sequence[bytes], last: int) -> None:
        """These were put into the log, the last of them with this number."""
        self._events.extend(enumerate(events, last - len(events) + 1))
        while len(self._events) > MOST_EVENTS:
            self._events.popleft()
            self.lost_events += 1

    @property
    def has_news(self) -> bool:
        """Whether a batch would hold something."""
        return bool(self._changed or self._gone or self._events or not self._next)

    def batch(self, now: float) -> Batch:
        """What is to be shipped next, a part of it if it is much; once it is on its way, it is `shipped`."""
        self._let_go(now)
        changed = list(self._changed.items())[:UNITS_A_BATCH]
        units = [
            Unit(number, self._units[number][0] if is_new else b"", self._units[number][1])
            for number, is_new in changed
        ]
        events = [self._events[at] for at in range(min(EVENTS_A_BATCH, len(self._events)))]
        first = events[0][0] if events else 0
        return Batch(self._next, units, list(self._gone), first, [event for _, event in events])

    def shipped(self, batch: Batch) -> None:
        """The batch is on its way; nothing has changed since."""
        self._next = batch.number + 1
        for unit in batch.units:
            del self._changed[unit.number]
        self._gone.clear()
        for _ in batch.events:
            self._events.popleft()

    def _note(self, key: bytes, value: bytes | None) -> None:
        if key[:1] == BASE:
            self._note_base(number_in(key), value)
        elif key[:1] == STATE and value is not None:
            self._note_state(number_in(key), value)

    def _note_base(self, number: int, base: bytes | None) -> None:
        known = self._units.get(number)
        if base is None:
            self._drop(number)
        elif known is not None:
            self._units[number] = base, known[1]
            self._changed[number] = True
        elif _is_of_a_call(base):
            if len(self._units) >= MOST_UNITS:
                self.unshipped += 1
                return
            self._units[number] = base, b""
            self._changed[number] = True

    def _note_state(self, number: int, state: bytes) -> None:
        known = self._units.get(number)
        if known is not None:
            self._units[number] = known[0], state
            self._changed.setdefault(number, False)

    def _let_go(self, now: float) -> None:
        for number in self._changed:
            if number not in self._finished and _is_finished(self._units[number][1]):
                self._finished[number] = now
        while self._finished:
            number, since = next(iter(self._finished.items()))
            if now < since + LINGER_S:
                return
            self._drop(number)

    def _drop(self, number: int) -> None:
        self._finished.pop(number, None)
        self._changed.pop(number, None)
        if self._units.pop(number, None) is not None:
            self._gone[number] = None


def _is_of_a_call(base: bytes) -> bool:
    """Whether it is of an INVITE that came, or of a CANCEL of ours."""
    is_server, fixed, _ = unpack(base, lists=False)
    return bool(fixed[0][-1] == ("INVITE" if is_server else "CANCEL"))


def _is_finished(state: bytes) -> bool:
    """Whether an INVITE has its final response; a CANCEL of ours ends by itself."""
    if not state:
        return False
    _, own, _ = unpack(state, lists=False)
    return len(own) == _SERVER_FIELDS and bool(own[0] > ServerState.PROCEEDING)


class Copy:
    """What a standby router knows of another one. `now`: monotonic s, `at`: its steady clock, s."""

    def __init__(self) -> None:
        self.heard_at = 0.0
        self.term = 0
        self._life = ""
        self._next = 0
        self._units: dict[int, tuple[bytes, bytes]] = {}
        self._events: deque[tuple[int, bytes]] = deque()
        self._ahead_s = self._later_s = inf

    def __len__(self) -> int:
        return len(self._units)

    @property
    def waiting(self) -> int:
        """Events that the journal has not acknowledged to the other one."""
        return len(self._events)

    def take(self, head: "Head", batch: Batch, now: float, at: float) -> bool:
        """Take a batch; False if one before it is missing: then everything is to be asked for."""
        if batch.number == 0:
            self._begin(head)
        elif head.life != self._life or batch.number != self._next:
            return False
        self._next = batch.number + 1
        self.heard_at = now
        self._ahead_s = min(self._ahead_s, now - head.now)
        self._later_s = min(self._later_s, at - head.at)
        for unit in batch.units:
            self._take_unit(unit)
        for number in batch.gone:
            self._units.pop(number, None)
        self._events.extend(enumerate(batch.events, batch.first))
        while self._events and (self._events[0][0] <= head.acknowledged or len(self._events) > MOST_EVENTS):
            self._events.popleft()
        return True

    def units(self, now: float) -> Iterator[tuple[bytes, bytes, float, float]]:
        """Base and state of each saved transaction; how much later an instant of its is here, and how long ago the
        other one was heard of.
        """
        for base, state in self._units.values():
            if base and state:
                yield base, state, self._ahead_s, now - self.heard_at

    def events(self) -> Iterator[tuple[bytes, float]]:
        """Each event, and how much later its instant is by the clock here."""
        return ((event, self._later_s) for _, event in self._events)

    def _begin(self, head: "Head") -> None:
        self._units.clear()
        self._events.clear()
        self._life, self.term = head.life, head.term
        self._ahead_s = self._later_s = inf

    def _take_unit(self, unit: Unit) -> None:
        base = unit.base or self._units.get(unit.number, (b"", b""))[0]
        if unit.number in self._units or len(self._units) < MOST_UNITS:
            self._units[unit.number] = base, unit.state


class Head(NamedTuple):
    """What stands before a batch: who ships, in which term and life of its, its clocks, and the number of the last
    event that the journal has acknowledged.
    """

    router: int
    term: int
    life: str
    now: float
    at: float
    acknowledged: int


def body_of(head: Head, batch: Batch) -> list[Any]:
    """What `calls.shipped` carries."""
    return [*head, batch.number, [list(unit) for unit in batch.units], *batch[2:]]


def read_body(body: Any) -> tuple[Head, Batch] | None:
    """Return what `body_of` made; None if it is no such thing."""
    match body:
        case [
            int(router), int(term), str(life), float(now), float(at), int(acknowledged),
            int(number), list(units), list(gone), int(first), list(events),
        ]:  # fmt: skip
            found = [Unit(*unit) for unit in units if _is_unit(unit)]
            return (
                Head(router, term, life, now, at, acknowledged),
                Batch(number, found, gone, first, events),
            )
    return None


def _is_unit(unit: Any) -> bool:
    return isinstance(unit, list) and tuple(map(type, unit)) == (int, bytes, bytes)
