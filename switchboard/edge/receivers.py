"""Who gets the messages of an edge-stream, and how far they are: nothing is forgotten before they have it.

Theory. Behind the items of a receiver goes a *mark* (`sip.mark`), at most every MARK_EVERY_S. The receiver returns it
(`sip.taken`) when it has taken, and kept, all that came before. With each mark it says which of its lives it is in, and
which mark was the first that came in this life: a killed receiver may have lost items that were on their way to it. So
all items before the first mark of another life are sent again, unless their own mark had come back. What it had taken
before is a retransmission to it. Items behind that mark came to the new life. So that few items come twice, a mark also
goes ahead of the first item, and of one after a pause.

The time that marks take is the delay of the receiver, which admission control wants to know.
"""

from collections import deque
from collections.abc import Sequence
from itertools import islice
from math import inf, nextafter
from typing import Final

from switchboard.bus.outbox import PackedOutbox
from switchboard.core.overload import Overload
from switchboard.edge.admission import FULL, KEPT, Backlog

MARK_EVERY_S: Final = 0.02
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
        self._marked_at = self._stamp = 0.0
        self._life = ""
        self._has_heard = False
        self._heard_at = 0.0

    @property
    def name(self) -> str:
        """NAME.INSTANCE."""
        return self.outbox.peer.name

    def put(self, item: bytes) -> None:
        """Send a packed item, and keep it."""
        self.put_all((item,))

    def put_all(self, items: Sequence[bytes]) -> None:
        """Send packed items, and keep them."""
        self.outbox.put_all(items)
        self._kept.extend(items)
        self.put_count += len(items)
        if (excess := len(self._kept) - MOST) > 0:
            self.forgotten += excess
            self._let_go(self.taken_count + excess)

    def give_up(self) -> list[bytes]:
        """Return all that it has not taken, for another receiver; it counts as taken."""
        items = list(self._kept)
        self.outbox.take_back()
        self._marks.clear()
        self._let_go(self.put_count)
        return items

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
        if self._send_mark(now, self.put_count):
            self._marked = self.put_count
            self._backlog.stamp(self._stamp, self.put_count)

    def ask(self, now: float) -> None:
        """Put a mark ahead of what is to be cast, if nothing else is on its way and nothing was heard for a while."""
        is_first = self.put_count - self.taken_count == self.outbox.waiting > 0
        if is_first and now >= self._heard_at + REPEATED_S:
            self._send_mark(now, self.taken_count)

    def _send_mark(self, now: float, count: int) -> bool:
        """No two marks have the same stamp: one that comes back must not stand for another behind it."""
        self._stamp = max(now, nextafter(self._stamp, inf))
        is_sent = self.outbox.peer.send(MARK, [self._instance, self._stamp])
        if is_sent:
            self._marks.append((self._stamp, count))
        return is_sent

    def take(self, stamp: float, life: str, first: float, now: float) -> None:
        """The receiver returns a mark, in a life in which `first` was the first one."""
        self._has_heard, self._heard_at = True, now
        self._backlog.take(stamp, now)
        count = before = 0
        while self._marks and self._marks[0][0] <= stamp:
            at, count = self._marks.popleft()
            before = count if at <= first else before
        if life != self._life and before > self.taken_count:
            self._send_again(before - self.taken_count)
        else:
            self._let_go(count)
        self._life = life

    def _send_again(self, number: int) -> None:
        """The oldest of those kept, which may have been on their way to another life."""
        self.resent += number
        waiting = self.outbox.take_back()
        self.outbox.put_all(islice(self._kept, number))
        self.outbox.put_all(waiting)
        self._marks.clear()
        self._marked = self.taken_count
        self._marked_at = 0.0

    def _let_go(self, count: int) -> None:
        while self.taken_count < count:
            self._kept.popleft()
            self.taken_count += 1
