"""The loop of a worker: drains the sockets of one Actor, fires its timers and flushes it."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import structlog
import zmq

from switchboard import log
from switchboard.bus import frames
from switchboard.bus.actor import Actor
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints, Kind
from switchboard.bus.peer import HIGH_WATER_MARK, RECONNECT_MS, Reach
from switchboard.bus.rpc import Door, Question
from switchboard.bus.sockets import Ears

FRAMES_A_ROUND = 64
BYTES_A_ROUND = 128_000
"""What a round yields leaves at its end: who has much to do must not let it wait for all of that."""
IDLE_S = 1.0
LOOK_AROUND_S = 1.0
TIMER_GRAIN_S = 0.010
"""Timers fire together that are due within so long."""
RETRY_S = 0.010  # between two tries of an outbox whose peer is away
QUIET_S = 0.005  # no frame for so long: the sockets are drained
DRAIN_S = 0.250  # an end must not wait for peers that never fall silent
SUBSCRIPTION_FRAMES = 10_000
READY_WITHIN_S = 1.0
"""A worker is ready after so long, though others that it wants to hear of may be away."""


class Stop(Protocol):
    """That the worker is to end: a flag, and a descriptor that is readable once it is set."""

    is_set: bool
    fd: int


class Loop:
    """Takes frames, fires timers and flushes, in this order, once a round.

    `tell_frame` gets each frame while the log is at level debug; otherwise nothing is spent on it.
    """

    def __init__(
        self,
        actor: Actor,
        context: BusContext,
        endpoints: Endpoints,
        instance: int = 0,
        tell_frame: Callable[[bytes], None] | None = None,
    ) -> None:
        self.actor = actor
        self.frames_in = 0
        self.items_in = 0
        self.bad_frames = 0
        self._subscriptions = [_subscription(context, each) for each in actor.subscriptions(endpoints)]
        actor.subscribed(self._subscriptions)
        owner = f"{actor.name}.{instance}"
        self._inboxes = _inboxes(context, endpoints.listen(owner, Kind.INBOX)) if actor.has_inbox else []
        self._door = Door(context, *endpoints.listen(owner, Kind.ASK))
        self._guard = context.guard
        self._reach = Reach()
        self._next_look = time.monotonic() + LOOK_AROUND_S
        self._next_firing = 0.0
        self._tell_frame = tell_frame
        self._is_debugging = log.current_level() == "debug"
        self._watched = actor.watch()
        self._watched_for_errors = actor.watch_errors()
        self._listen()

    def _listen(self) -> None:
        """The ears know sockets by number: subscriptions first, then inboxes, doors, and the guard."""
        guarded = [self._guard.socket] if self._guard else []
        takers = [*self._subscriptions, *self._inboxes]
        others = [*self._door.sockets, *guarded]
        self._published = range(len(self._subscriptions))
        self._cast = range(len(self._subscriptions), len(takers))
        self._asked = range(len(takers), len(takers) + len(others))
        self._ears = Ears([*takers, *others])
        for fd in self._watched:
            self._ears.watch(fd)

    def run(self, stop: Stop, tell_ready: Callable[[], None]) -> None:
        """Serve until `stop` is set; `tell_ready` is called once the actor is ready."""
        self._ears.watch(stop.fd)
        self._get_ready(stop)
        tell_ready()
        while not stop.is_set:
            self.round(self._wait_s())
            if pause_s := self.actor.pause_s():
                time.sleep(pause_s)
        self._ears.ignore(stop.fd)

    def _get_ready(self, stop: Stop) -> None:
        until = time.monotonic() + READY_WITHIN_S
        left_s = READY_WITHIN_S
        while left_s > 0 and not self.actor.is_ready() and not stop.is_set:
            self.round(min(left_s, self._wait_s()))
            left_s = until - time.monotonic()

    def close(self) -> None:
        """Close what only receives: a subscription to a publisher that is away would hold up the end."""
        for source in (*self._subscriptions, *self._inboxes):
            source.close(linger=0)

    def drain(self) -> None:
        """Take what has arrived on the bus, for DRAIN_S at most, and flush it."""
        for fd in self._watched:
            self._ears.ignore(fd)
        self._watched = self._watched_for_errors = {}
        until = time.monotonic() + DRAIN_S
        while (self.round(QUIET_S) or self._outboxes_wait()) and time.monotonic() < until:
            pass

    def round(self, wait_s: float) -> bool:
        """Wait for input, take it, fire due timers, flush. False: nothing came within `wait_s`."""
        found: bool = self._ears.wait(wait_s)
        if found:
            self._take_input()
        self._fire_timer()
        self.actor.flush()
        self._look_around()
        return found

    def stats(self) -> dict[str, float]:
        """All counters of the process, by name."""
        counters: dict[str, float] = {
            "frames_in": self.frames_in,
            "items_in": self.items_in,
            "bad_frames": self.bad_frames + self._door.bad_frames,
            "strangers_refused": self._guard.refused if self._guard else 0,
        }
        for outbox in self.actor.outboxes:
            counters |= outbox.stats()
        return counters | self.actor.stats()

    def _wait_s(self) -> float:
        wait_s = RETRY_S if self._outboxes_wait() else IDLE_S
        deadline = self._next_deadline()
        if deadline is None:
            return wait_s
        return min(wait_s, max(0.0, deadline - time.monotonic()))

    def _outboxes_wait(self) -> bool:
        for outbox in self.actor.outboxes:  # noqa: SIM110 (a generator a round costs more)
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
        for fd, handle in self._watched_for_errors.items():
            if self._ears.has_error(fd):
                handle(time.monotonic())
        for fd, handle in self._watched.items():
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
        if self._is_debugging and self._tell_frame is not None:
            self._tell_frame(frame)
        items = self.actor.receive_frame(frame)
        if items is not None:
            self.items_in += items
            return
        try:
            subject, body = frames.unpack(frame)
        except frames.FrameError:
            self.bad_frames += 1
            return
        self.items_in += len(body) if isinstance(body, list) else 1
        self.actor.receive(subject, body, time.monotonic())

    def _take_questions(self) -> None:
        """Also those that the guard is asked: whether a key may connect."""
        if self._guard:
            self._guard.serve()
        for _ in range(FRAMES_A_ROUND):
            question = self._door.take()
            if question is None:
                break
            self._answer(question)
        for number in self._asked:
            self._ears.look_again(number)

    def _answer(self, question: Question) -> None:
        try:
            answer = self._answer_to(question)
        except LookupError:
            question.refuse(f"{self.actor.name} does not know the question {question.subject!r}")
        else:
            question.reply(answer)

    def _answer_to(self, question: Question) -> Any:
        match question.subject:
            case "stats":
                return self.stats()
            case "notes":
                return [*self.actor.notes(), *self._reach.notes()]
            case "log.level":
                return self._choose_level(question.body)
        return self.actor.answer(question.subject, question.body)

    def _choose_level(self, level: object) -> str:
        """Put a level of the log in force, if one was named; return the one that is."""
        if level in log.LEVELS:
            log.set_level(str(level))
            self._is_debugging = level == "debug"
        return log.current_level()

    def _look_around(self) -> None:
        """Once in LOOK_AROUND_S: whom we cannot reach, and who may not reach us."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_AROUND_S
        for line in self._reach.look(self.actor.peers(), now, time.time()):
            structlog.get_logger().warning(line)
        if self._guard and (strangers := self._guard.take_strangers()):
            structlog.get_logger().warning("unknown keys refused", addresses=strangers)

    def _fire_timer(self) -> None:
        now = time.monotonic()
        if now < self._next_firing:
            return
        deadline = self.actor.next_deadline()
        if deadline is not None and deadline <= now:
            self._next_firing = now + TIMER_GRAIN_S
            self.actor.handle_timer(now)

    def _next_deadline(self) -> float | None:
        """The actor's, but not right after the last one: a round costs as much for one timer as for many."""
        deadline = self.actor.next_deadline()
        return None if deadline is None else max(deadline, self._next_firing)


def _subscription(context: BusContext, endpoint: str) -> zmq.Socket[bytes]:
    socket = context.socket(zmq.SUB)
    socket.set(zmq.RCVHWM, SUBSCRIPTION_FRAMES)
    socket.set(zmq.RECONNECT_IVL, RECONNECT_MS)
    context.connect(socket, endpoint)
    return socket


def _inboxes(context: BusContext, endpoints: Sequence[str]) -> list[zmq.Socket[bytes]]:
    return context.listen(zmq.PULL, endpoints, rcvhwm=HIGH_WATER_MARK)
