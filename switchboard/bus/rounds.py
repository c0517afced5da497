"""The rounds of a worker: take frames, fire timers, flush. `loop.py` does the rare tasks.

Theory. A process pays for each wake-up and each frame, hardly for the single message. So under load input should
gather before the next round, but not for long: the *adaptive batch interval*. It is the time in which about `enough`
datagrams arrive at the measured rate (a moving average over MEMORY_S), between LEAST · `longest_s` and `longest_s`.
If fewer than WORTH datagrams would arrive in `longest_s`, there is no interval, since it would only add delay. The
wait follows a drain, so a datagram after a pause is read at once.

Timers that are due within TIMER_GRAIN_S fire together, for the same reason.
"""

import math
import time
from collections.abc import Callable
from typing import Protocol

from switchboard.bus import frames
from switchboard.bus.actor import Actor
from switchboard.bus.sockets import Ears

WORTH = 2.0
"""Datagrams that the longest batch interval has to gather; below, it would only delay them."""
LEAST = 0.5
"""The part of the longest batch interval that one lasts at any rate."""
MEMORY_S = 0.05
"""The rate is averaged over about this time."""


class BatchIntervalInPython:
    """The reference of `BatchInterval`: how long to wait after each drain. `longest_s`: 0 for never.

    A batch interval is over when about `enough` datagrams have gathered, by the present rate, but has its bounds.
    What comes after a pause is drained at once: the wait follows a drain, it does not precede one.
    """

    def __init__(self, longest_s: float, enough: float = math.inf) -> None:
        self._longest_s = longest_s
        self._enough = enough
        self._drained_at = 0.0
        self._rate = 0.0

    def pause_s(self, now: float, taken: int, backlog: bool) -> float:
        """Return the wait, from `now` on (monotonic s), of a drain that yielded `taken` datagrams.

        `backlog`: more are there already, so that there is nothing to wait for.
        """
        elapsed_s = now - self._drained_at
        self._drained_at = now
        weight = min(1.0, elapsed_s / MEMORY_S)
        self._rate += weight * (taken / max(elapsed_s, 1e-6) - self._rate)
        if backlog or self._rate * self._longest_s < WORTH:
            return 0.0
        return min(self._longest_s, max(self._enough / self._rate, LEAST * self._longest_s))


try:
    from switchboard._native.wire import BatchInterval as BatchInterval
except ImportError:
    BatchInterval = BatchIntervalInPython  # type: ignore[assignment, misc]

FRAMES_A_ROUND = 64
BYTES_A_ROUND = 128_000
"""The output of a round leaves at its end, so a round with much input has to end early."""
IDLE_S = 1.0
LOOK_AROUND_S = 1.0
TIMER_GRAIN_S = 0.010
"""Timers that are due within this time fire together."""
RETRY_S = 0.010  # between two tries of an outbox whose peer is away


class Stop(Protocol):
    """That the worker is to end: a flag, and a descriptor that is readable once it is set."""

    is_set: bool
    fd: int


class RoundsInPython:
    """The reference of `Rounds`.

    The ears know sockets by number: first those of `published` subscriptions, then those of `cast` inboxes, then
    `asked` others, where questions come; `take_questions` is called when there may be one, and `look_around` once
    in LOOK_AROUND_S with `now`.
    `watched`, `watched_for_errors`: as the actor's. `tell_frame` is given each frame, unless it is None.
    """

    def __init__(
        self,
        actor: Actor,
        ears: Ears,
        published: int,
        cast: int,
        asked: int,
        take_questions: Callable[[], None],
        look_around: Callable[[float], None],
    ) -> None:
        self.frames_in = self.items_in = self.bad_frames = 0
        self.tell_frame: Callable[[bytes], None] | None = None
        self.watched = actor.watch()
        self.watched_for_errors = actor.watch_errors()
        self._actor = actor
        self._ears = ears
        self._published = range(published)
        self._cast = range(published, published + cast)
        self._asked = range(published + cast, published + cast + asked)
        self._take_questions = take_questions
        self._look_around = look_around
        self._next_look = time.monotonic() + LOOK_AROUND_S
        self._next_firing = 0.0
        self._deadline: float | None = time.monotonic()  # as it was when the last round ended

    def run(self, stop: Stop) -> None:
        """Go on until `stop` is set."""
        while not stop.is_set:
            self.round(self.wait_s())
            if pause_s := self.pause_s():
                time.sleep(pause_s)

    def pause_s(self) -> float:
        """How long to let input gather before the next round."""
        return self._actor.pause_s()

    def round(self, wait_s: float) -> bool:
        """Wait for input, take it, fire due timers, flush. False: nothing came within `wait_s`."""
        found = self._ears.wait(wait_s)
        if found:
            self._take_input()
        now = time.monotonic()
        self._fire_timer(now)
        self._actor.flush()
        self._deadline = self._actor.next_deadline()
        if now >= self._next_look:
            self._next_look = now + LOOK_AROUND_S
            self._look_around(now)
        return found

    def wait_s(self) -> float:
        """How long the next round may wait for input."""
        wait_s = RETRY_S if self.outboxes_wait() else IDLE_S
        if self._deadline is None:
            return wait_s
        # not right after the last firing: a round costs as much for one timer as for many
        return min(wait_s, max(0.0, max(self._deadline, self._next_firing) - time.monotonic()))

    def outboxes_wait(self) -> bool:
        """Whether something could not be cast yet."""
        for outbox in self._actor.outboxes:  # noqa: SIM110 (a generator a round costs more)
            if outbox.waiting:
                return True
        return False

    def _take_input(self) -> None:
        for number in self._published:
            if self._ears.hears(number):
                self._take_published()
        for number in self._cast:
            if self._ears.hears(number):
                self._take_casts(number)
        if any(map(self._ears.hears, self._asked)):
            self._take_questions()
        for fd, handle in self.watched_for_errors.items():
            if self._ears.has_error(fd):
                handle(time.monotonic())
        for fd, handle in self.watched.items():
            if self._ears.is_readable(fd):
                handle(time.monotonic())

    def _take_published(self) -> None:
        for number in self._published:
            for frame in self._waiting_frames(number):
                self._take(frame)

    def _take_casts(self, number: int) -> None:
        """Take what is in an inbox. What was published before a frame was sent is taken before it, too:
        who has heard that it is registered may be called.
        """
        cast = self._waiting_frames(number)
        self._take_published()
        for frame in cast:
            self._take(frame)

    def _waiting_frames(self, number: int) -> list[bytes]:
        """What has arrived, at most FRAMES_A_ROUND frames, and none beyond BYTES_A_ROUND."""
        waiting: list[bytes] = []
        size = 0
        while len(waiting) < FRAMES_A_ROUND and size < BYTES_A_ROUND:
            frame = self._ears.take(number)
            if frame is None:
                break
            waiting.append(frame)
            size += len(frame)
        return waiting

    def _take(self, frame: bytes) -> None:
        self.frames_in += 1
        if self.tell_frame is not None:
            self.tell_frame(frame)
        items = self._actor.receive_frame(frame)
        if items is not None:
            self.items_in += items
            return
        try:
            subject, body = frames.unpack(frame)
        except frames.FrameError:
            self.bad_frames += 1
            return
        self.items_in += len(body) if isinstance(body, list) else 1
        self._actor.receive(subject, body, time.monotonic())

    def _fire_timer(self, now: float) -> None:
        if now < self._next_firing:
            return
        if self._deadline is not None and self._deadline <= now:
            self._next_firing = now + TIMER_GRAIN_S
            self._actor.handle_timer(now)


try:
    from switchboard._native.wire import Rounds as Rounds
    from switchboard._native.wire import find_libzmq

    find_libzmq()
except ImportError:
    Rounds = RoundsInPython  # type: ignore[assignment, misc]
