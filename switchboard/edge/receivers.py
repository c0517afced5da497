"""Who gets the messages of an edge-stream, and how far they are: nothing is forgotten before they have it.

Theory. Behind the items of a receiver goes a *mark* (`sip.mark`), at most every MARK_EVERY_S. The receiver returns it
(`sip.taken`) when it has taken, and kept, all that came before. With each mark it says which of its lives it is in: a
killed receiver may have lost items that were on their way to it. So the first mark that another life returns says
nothing, and all items whose marks did not come back are sent again. What it had taken before is a retransmission to it.
A mark before the first item tells which life the receiver is in.

The time that marks take is the delay of the receiver, which admission control wants to know.
"""

from collections import deque
from typing import Final

from switchboard.bus.outbox import PackedOutbox
from switchboard.core.overload import Overload
from switchboard.edge.admission import FULL, KEPT, Backlog

MARK_EVERY_S: Final = 0.01
REPEATED_S: Final = 0.25
"""A mark that has not come back after this time goes out again: its receiver may be another process by now."""
MOST: Final = KEPT
"""Items that are kept until their marks come back; beyond, the oldest ones count as taken."""
MARK: Final = "sip.mark"


class Receiver:
    """One router, or the registrar. `instance`: of the edge-stream. Items count from 1; `now` is monotonic s."""

    def __init__(self, outbox: PackedOutbox, overload: Overload, instance: int) -> None:
        self.outbox = outbox
        self.put_count = self.taken_count = 0
        self.resent = self.forgotten = 0
        self._overload = overload
        self._instance = instance
        self._kept: deque[bytes] = deque()
        self._marks: deque[tuple[float, int]] = deque()
        self._backlog = Backlog()
        self._marked = 0
        self._marked_at = 0.0
        self._life = ""
        self._has_heard = False

    @property
    def name(self) -> str:
        """NAME.INSTANCE."""
        return self.outbox.peer.name

    def put(self, item: bytes) -> None:
        """Send a packed item, and keep it."""
        self.outbox.put(item)
        self._kept.append(item)
        self.put_count += 1
        if len(self._kept) > MOST:
            self.forgotten += 1
            self._let_go(self.taken_count + 1)

    def reached(self) -> int:
        """How many items it has taken."""
        return self.taken_count

    def look(self, now: float) -> None:
        """Tell admission control how late it is."""
        self._overload.lag_s = self._backlog.delay_s
        if self._has_heard:
            self._overload.note(self._overload.lag_s, now)
            self._has_heard = False
        self._overload.is_full = self.outbox.waiting > FULL

    @property
    def lag_s(self) -> float:
        """How late what goes to it will be."""
        return self._backlog.delay_s

    def due_at(self) -> float | None:
        """When `mark` has something to do; None: everything is taken, and the life of the receiver is known."""
        if self.taken_count == self.put_count and self._life:
            return None
        return self._marked_at + (MARK_EVERY_S if self._marked < self.put_count else REPEATED_S)

    def mark(self, now: float) -> None:
        """Put a mark behind what has been cast, if it is time."""
        due_at = self.due_at()
        if due_at is None or now < due_at or self.outbox.waiting:
            return
        self._marked_at = now
        if self.outbox.peer.send(MARK, [self._instance, now]):
            self._marked = self.put_count
            self._marks.append((now, self.put_count))
            self._backlog.stamp(now, self.put_count)

    def take(self, stamp: float, life: str, now: float) -> None:
        """The receiver returns a mark."""
        self._has_heard = True
        self._backlog.take(stamp, now)
        count = 0
        while self._marks and self._marks[0][0] <= stamp:
            count = self._marks.popleft()[1]
        if life == self._life:
            self._let_go(count)
            return
        if self._life or count:
            self._send_again()
        self._life = life

    def _send_again(self) -> None:
        self.outbox.take_back()
        self.resent += len(self._kept)
        self.outbox.put_all(self._kept)
        self._marks.clear()
        self._marked = self.taken_count
        self._marked_at = 0.0

    def _let_go(self, count: int) -> None:
        while self.taken_count < count:
            self._kept.popleft()
            self.taken_count += 1
