"""The shape of a worker process: an Actor holds one core, `run_actor` owns loop, sockets, clock and signals.

Three doors only (after Erlang's gen_server): `receive` for casts, `answer` for questions, `watch` for the
rest. One thread, no locks: the callbacks of an actor never overlap.
"""

import argparse
import gc
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, NoReturn

import structlog
import zmq

from switchboard import log
from switchboard.bus import frames
from switchboard.bus.affinity import pin
from switchboard.bus.context import BusContext, NotListeningError
from switchboard.bus.door import Door, Question
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.outbox import Outbox
from switchboard.bus.peer import HIGH_WATER_MARK, LINGER_MS, Peer
from switchboard.bus.plan import Kind
from switchboard.bus.process import ParentGone, StopSignal, await_go, die_with_parent, leave, tell_ready
from switchboard.bus.reach import Reach
from switchboard.settings import Settings, SettingsError, load_settings
from switchboard.site import endpoints_of, open_context
from switchboard.unusable import UnusableFile

FRAMES_A_ROUND = 64
IDLE_S = 1.0
LOOK_AROUND_S = 1.0
TIMER_GRAIN_S = 0.010
"""Timers fire together that are due within so long."""
RETRY_S = 0.010  # between two tries of an outbox whose peer is away
QUIET_S = 0.005  # no frame for so long: the sockets are drained
DRAIN_S = 0.250  # an end must not wait for peers that never fall silent
SUBSCRIPTION_FRAMES = 10_000
_EVENTS, _POLLIN = int(zmq.EVENTS), int(zmq.POLLIN)  # their enums cost more than the question


class Actor:
    """Base of every worker: one per process. `now` is `time.monotonic()`."""

    name: ClassVar[str]
    has_inbox: ClassVar[bool] = True
    outboxes: Sequence[Outbox] = ()

    def subscriptions(self, endpoints: Endpoints) -> list[str]:  # noqa: ARG002
        """The publishers whose frames `receive` is to have as well."""
        return []

    def watch(self) -> dict[int, Callable[[float], None]]:
        """File descriptors and what to call with `now` while one is readable."""
        return {}

    def receive(self, subject: str, body: Any, now: float) -> None:
        """Take a cast."""

    def receive_frame(self, frame: bytes) -> int | None:  # noqa: ARG002
        """Take a packed cast and return how many items it held; None: unpack it for `receive`."""
        return None

    def answer(self, question: str, body: Any) -> Any:  # noqa: ARG002
        """Return the answer to a question; LookupError for one that this actor does not know."""
        raise LookupError(question)

    def next_deadline(self) -> float | None:
        """When `handle_timer` is to be called next (monotonic s); None: never."""
        return None

    def handle_timer(self, now: float) -> None:
        """The deadline has passed: do what is due and move it on."""

    def pause_s(self) -> float:
        """How long to let input gather before the next round (s, a few ms at most); asked after each."""
        return 0.0

    def flush(self) -> None:
        """Send what a drain has yielded; called once after each, and every RETRY_S while an outbox waits."""
        for outbox in self.outboxes:
            outbox.flush()

    def stats(self) -> dict[str, float]:
        """Counters of this actor, added to those of its loop."""
        return {}

    def peers(self) -> Iterable[Peer]:
        """All that this actor casts to."""
        return (outbox.peer for outbox in self.outboxes)

    def notes(self) -> list[str]:
        """What `status` is to tell people besides the worker's state."""
        return []

    def close(self) -> None:
        """Let go of what this actor opened, the sockets of `context` excepted."""


class Loop:
    """Drains the sockets of one actor, fires its timers and flushes it, in this order, once a round."""

    def __init__(self, actor: Actor, context: BusContext, endpoints: Endpoints, instance: int = 0) -> None:
        self.actor = actor
        self.frames_in = 0
        self.items_in = 0
        self.bad_frames = 0
        self._subscriptions = [_subscription(context, each) for each in actor.subscriptions(endpoints)]
        owner = f"{actor.name}.{instance}"
        self._inboxes = _inboxes(context, endpoints.listen(owner, Kind.INBOX)) if actor.has_inbox else []
        self._door = Door(context, *endpoints.listen(owner, Kind.ASK))
        self._guard = context.guard
        self._reach = Reach()
        self._next_look = time.monotonic() + LOOK_AROUND_S
        self._next_firing = 0.0
        self._watched = actor.watch()
        self._poller = zmq.Poller()
        guarded = [self._guard.socket] if self._guard else []
        sources = (*self._subscriptions, *self._inboxes, *self._door.sockets, *guarded, *self._watched)
        for source in sources:
            self._poller.register(source, zmq.POLLIN)

    def run(self, stop: StopSignal) -> None:
        """Serve until `stop` is set."""
        self._poller.register(stop.fd, zmq.POLLIN)
        while not stop.is_set:
            self.round(self._wait_s())
            if pause_s := self.actor.pause_s():
                time.sleep(pause_s)
        self._poller.unregister(stop.fd)

    def close(self) -> None:
        """Close what only receives: a subscription to a publisher that is away would hold up the end."""
        for source in (*self._subscriptions, *self._inboxes):
            source.close(linger=0)

    def drain(self) -> None:
        """Take what has arrived on the bus, for DRAIN_S at most, and flush it."""
        for fd in self._watched:
            self._poller.unregister(fd)
        until = time.monotonic() + DRAIN_S
        while (self.round(QUIET_S) or self._outboxes_wait()) and time.monotonic() < until:
            pass

    def round(self, wait_s: float) -> bool:
        """Wait for input, take it, fire due timers, flush. False: nothing came within `wait_s`."""
        ready = dict(self._poller.poll(math.ceil(wait_s * 1000)))
        self._take_published()
        for inbox in self._inboxes:
            if inbox in ready:
                self._take_frames(inbox)
        if any(socket in ready for socket in self._door.sockets):
            self._take_questions()
        if self._guard and self._guard.socket in ready:
            self._guard.serve()
        for fd, handle in self._watched.items():
            if fd in ready:
                handle(time.monotonic())
        self._fire_timer()
        self.actor.flush()
        self._look_around()
        return bool(ready)

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
        return any(outbox.waiting for outbox in self.actor.outboxes)

    def _take_published(self) -> None:
        for subscription in self._subscriptions:
            for frame in _waiting_frames(subscription):
                self._take(frame)

    def _take_frames(self, inbox: zmq.Socket[bytes]) -> None:
        """Take what is in the inbox. What was published before a frame was sent is taken before it, too:
        who has heard that it is registered may be called.
        """
        for frame in _waiting_frames(inbox):
            self._take_published()
            self._take(frame)

    def _take(self, frame: bytes) -> None:
        self.frames_in += 1
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
        for _ in range(FRAMES_A_ROUND):
            question = self._door.take()
            if question is None:
                return
            self._answer(question)

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
        return self.actor.answer(question.subject, question.body)

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
        deadline = self._next_deadline()
        if deadline is None:
            return
        now = time.monotonic()
        if deadline <= now:
            self._next_firing = now + TIMER_GRAIN_S
            self.actor.handle_timer(now)

    def _next_deadline(self) -> float | None:
        """The actor's, but not right after the last one: a round costs as much for one timer as for many."""
        deadline = self.actor.next_deadline()
        return None if deadline is None else max(deadline, self._next_firing)


def run_actor(
    make: Callable[[Settings, BusContext, int], Actor], argv: Sequence[str] | None = None
) -> NoReturn:
    """Run the worker that `make(settings, context, instance)` builds until SIGTERM; ends the process.

    It begins when its parent says go, with the settings of that moment. Bad ones show before it waits, too:
    while the worker that it is to follow still serves. `argv` (default: the process's) may name
    `--instance I`. The exit status:
    0: asked to end, and drained, or never told to go. 1: an unforeseen exception, whose traceback is in the
    log, or no parent. 2: bad settings, found before anything is bound, or by `make`, which may raise
    SettingsError too; or an UnusableFile or NotListeningError, whose text is in the log.
    """
    die_with_parent()
    leave(_run(make, _parse_instance(argv)))


def _run(make: Callable[[Settings, BusContext, int], Actor], instance: int) -> int:
    try:
        load_settings()
        gc.collect()  # now, while nobody waits for it
        gc.freeze()
        if not await_go():
            return 0
        stop = StopSignal()
        settings = load_settings()
        log.configure(settings.log_level)
        _serve(make, settings, instance, stop)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except (UnusableFile, NotListeningError) as error:
        structlog.get_logger().error(f"cannot run: {error}", instance=instance)
        return 2
    except ParentGone:
        return 1
    except Exception:
        structlog.get_logger().exception("worker crashed", instance=instance)
        return 1
    return 0


def _serve(
    make: Callable[[Settings, BusContext, int], Actor], settings: Settings, instance: int, stop: StopSignal
) -> None:
    settings.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    context = open_context(settings)
    try:
        actor = make(settings, context, instance)
        pin(actor.name, instance, settings.pins)
        structlog.contextvars.bind_contextvars(worker=f"{actor.name}.{instance}")
        loop = Loop(actor, context, endpoints_of(settings), instance)
        _calm_collector()
        tell_ready()
        loop.run(stop)
        loop.drain()
        loop.close()
        actor.close()
    finally:
        context.destroy(linger=LINGER_MS)


def _calm_collector() -> None:
    """A collection over all that a busy worker holds would stop it for tenths of a second.

    What is there at the start stays; of the rest, only the young is looked at often.
    """
    gc.freeze()
    gc.set_threshold(20_000, 50, 1_000)


def _parse_instance(argv: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(description="A worker process of the switchboard; its parent starts it.")
    parser.add_argument("--instance", type=int, default=0, help="number of this worker among its equals")
    return int(parser.parse_args(argv).instance)


def _subscription(context: BusContext, endpoint: str) -> zmq.Socket[bytes]:
    socket = context.socket(zmq.SUB)
    socket.set(zmq.RCVHWM, SUBSCRIPTION_FRAMES)
    socket.subscribe(b"")
    context.connect(socket, endpoint)
    return socket


def _inboxes(context: BusContext, endpoints: Sequence[str]) -> list[zmq.Socket[bytes]]:
    return context.listen(zmq.PULL, endpoints, rcvhwm=HIGH_WATER_MARK)


def _waiting_frames(source: zmq.Socket[bytes]) -> Iterator[bytes]:
    """Yield what has arrived, at most FRAMES_A_ROUND frames."""
    for _ in range(FRAMES_A_ROUND):
        if not _has_frame(source):
            return
        yield source.recv(zmq.NOBLOCK)


def _has_frame(source: zmq.Socket[bytes]) -> bool:
    """Cheaper than the exception of a `recv` that finds nothing."""
    return bool(int(source.get(_EVENTS)) & _POLLIN)
