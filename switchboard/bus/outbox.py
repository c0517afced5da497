"""What waits to be cast to one peer: the cost of a frame is shared by all items of a drain."""

from collections.abc import Iterable
from typing import Any

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

    def put(self, item: object) -> None:
        """Add an item to the next flush; drops the oldest one if `keep` wait and the peer takes none."""
        self._items.append(item)
        if len(self._items) > self.keep:
            self._make_room()

    def put_all(self, items: Iterable[object]) -> None:
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
            del self._items[:count]
            self.sent += count
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
            excess = len(self._items) - self.keep
            del self._items[:excess]
            self.dropped += excess

    def _next_frame(self) -> tuple[bytes, int]:
        """The frame to cast next and how many items it holds; a single item may exceed BYTES_A_FRAME."""
        batch = self._items[:ITEMS_A_FRAME]
        frame = self._pack(batch)
        while len(frame) > BYTES_A_FRAME and len(batch) > 1:
            batch = batch[: len(batch) // 2]
            frame = self._pack(batch)
        return frame, len(batch)

    def _pack(self, batch: list[Any]) -> bytes:
        return frames.pack(self.subject, batch)


class PackedOutbox(Outbox):
    """The same for items that the codec has packed already."""

    def _pack(self, batch: list[bytes]) -> bytes:
        return frames.pack_items(self.subject, batch)
