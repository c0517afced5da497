"""An outbox gathers the items for one peer and sends them in few frames.

Theory. The cost of a frame is paid once for all items in it, so a worker collects what a drain yields for a peer,
and flushes at the end of the round. ZeroMQ's own queue is kept short (the high-water mark). What does not fit waits
here, where it can be counted, taken back, or dropped oldest first. A flush that fails marks the outbox as blocked;
then no frame is packed in vain until the socket takes frames again.
"""

import math
from collections.abc import Iterable
from typing import Any

from switchboard import codec
from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoint
from switchboard.bus.peer import Peer

ITEMS_A_FRAME = 256
BYTES_A_FRAME = 1_000_000


class Outbox:
    """Gathers items for one peer and casts them, many to a frame, as the body of `subject`.

    It never blocks. Items that the peer does not take stay, in order; of more than `keep` the oldest are
    dropped. `sent` and `dropped` count items.
    """

    def __init__(self, context: BusContext, endpoint: Endpoint, subject: str, keep: int = 2000) -> None:
        self.peer = Peer(context, endpoint)
        self.subject = subject
        self.keep = keep
        self.sent = 0
        self.dropped = 0
        self._items: list[Any] = []
        self._blocked = False

    @property
    def waiting(self) -> int:
        """How many items have not been cast yet."""
        return len(self._items)

    def put(self, item: Any) -> None:
        """Add an item to the next flush; drops the oldest one if `keep` wait and the peer takes none."""
        self._items.append(item)
        if len(self._items) > self.keep:
            self._make_room()

    def put_all(self, items: Iterable[Any]) -> None:
        """Add items, as `put` does each."""
        self._items.extend(items)
        if len(self._items) > self.keep:
            self._make_room()

    def flush(self) -> bool:
        """Cast what waits. True: nothing waits any more. False: the peer is away or full; the rest stays."""
        if self._items and self._blocked and not self.peer.takes_frames:
            return False
        while self._items:
            frame, count = self._next_frame()
            if not self.peer.send_frame(frame):
                self._blocked = True
                return False
            self.sent += self._let_go(count)
        self._blocked = False
        return True

    def take_back(self) -> list[Any]:
        """Remove and return the items that wait, oldest first: for a caller that has another way."""
        items, self._items = self._items, []
        return items

    def stats(self) -> dict[str, float]:
        """The counters, by names that tell this outbox from the others of its process."""
        name = f"{self.peer.name}.{self.subject}"
        return {f"{name}.sent": self.sent, f"{name}.dropped": self.dropped, f"{name}.waiting": self.waiting}

    def close(self) -> None:
        """Let go of the peer; items that still wait are lost."""
        self.peer.close()

    def _make_room(self) -> None:
        if self._blocked or not self.flush():
            self.dropped += self._drop()

    def _drop(self) -> int:
        """Drop the oldest items beyond `keep`; returns how many."""
        return self._let_go(len(self._items) - self.keep)

    def _let_go(self, number: int) -> int:
        """Forget the oldest ones; returns how many items they were."""
        del self._items[:number]
        return number

    def _next_frame(self) -> tuple[bytes, int]:
        """The frame to cast next and how many items it holds; a single item may exceed BYTES_A_FRAME."""
        batch = self._items[:ITEMS_A_FRAME]
        frame = frames.pack(self.subject, batch)
        while len(frame) > BYTES_A_FRAME and len(batch) > 1:
            batch = batch[: len(batch) // 2]
            frame = frames.pack(self.subject, batch)
        return frame, len(batch)


Run = bytes | tuple[int, bytes]
"""An item that the codec has packed, or how many such items follow each other in the octets beside it."""


class PackedOutboxInPython(Outbox):
    """The reference of `PackedOutbox`: the same for runs of packed items, which stay together or are dropped whole.

    `every_s`: how often `flush_due` casts at most.
    """

    def __init__(
        self, context: BusContext, endpoint: Endpoint, subject: str, keep: int = 2000, every_s: float = 0.0
    ) -> None:
        super().__init__(context, endpoint, subject, keep)
        self._every_s = every_s
        self._due_at = -math.inf
        self._head = frames.head(subject)
        self._count = 0

    @property
    def waiting(self) -> int:
        """How many items have not been cast yet."""
        return self._count

    def flush_due(self, now: float) -> bool:
        """`flush`, unless the last one was less than `every_s` ago. `now`: monotonic s."""
        if now < self._due_at:
            return not self._count
        self._due_at = now + self._every_s
        return self.flush()

    def put(self, item: Run) -> None:
        """Add a run to the next flush; drops the oldest ones while more than `keep` items wait."""
        self._items.append(item)
        self._count += _size(item)
        if self._count > self.keep:
            self._make_room()

    def put_all(self, items: Iterable[Run]) -> None:
        """Add runs, as `put` does each."""
        before = len(self._items)
        self._items.extend(items)
        self._count += sum(map(_size, self._items[before:]))
        if self._count > self.keep:
            self._make_room()

    def take_back(self) -> list[Any]:
        """Remove and return the runs that wait, oldest first."""
        self._count = 0
        return super().take_back()

    def _let_go(self, number: int) -> int:
        gone = sum(map(_size, self._items[:number]))
        self._count -= gone
        super()._let_go(number)
        return gone

    def _drop(self) -> int:
        """Drop the oldest runs beyond `keep`; returns how many items they held."""
        number = excess = 0
        while self._count - excess > self.keep:
            excess += _size(self._items[number])
            number += 1
        return self._let_go(number)

    def _next_frame(self) -> tuple[bytes, int]:
        runs: list[bytes] = []
        count = size = 0
        for run in self._items:
            more, octets = (1, run) if isinstance(run, bytes) else run
            if runs and (count + more > ITEMS_A_FRAME or size + len(octets) > BYTES_A_FRAME):
                break
            runs.append(octets)
            count += more
            size += len(octets)
        return b"".join((self._head, codec.list_head(count), *runs)), len(runs)


def _size(run: Run) -> int:
    return 1 if isinstance(run, bytes) else run[0]


try:
    from switchboard._native.wire import PackedOutbox as PackedOutbox
except ImportError:
    PackedOutbox = PackedOutboxInPython  # type: ignore[assignment, misc]
