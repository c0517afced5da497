"""The loop of a worker: opens the sockets of one Actor, lets it go its rounds, answers what is asked."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog
import zmq

from switchboard import log
from switchboard.bus.actor import Actor
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints, SocketKind
from switchboard.bus.link import Link
from switchboard.bus.peer import HIGH_WATER_MARK, RECONNECT_MS
from switchboard.bus.reach import Reach
from switchboard.bus.rounds import FRAMES_A_ROUND, Rounds, Stop
from switchboard.bus.rpc import Question, RpcServer
from switchboard.bus.sockets import Ears
from switchboard.busy import EVERY_S, still_busy
from switchboard.storage.unusable import NotWritten
from switchboard.storage.writing import ERROR, FAILURES, Writing

QUIET_S = 0.005  # without a frame for this time the sockets are drained
DRAIN_S = 0.250  # an end must not wait for peers that never fall silent
SUBSCRIPTION_FRAMES = 10_000
READY_WITHIN_S = 1.0
"""A worker is ready after this time, even if others that it waits for are away."""


class Loop:
    """Goes its `rounds` until it is stopped, and drains what then waits.

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
        self._publishers = [_subscription(context, each) for each in actor.subscriptions(endpoints)]
        self._subscriptions = [each.socket for each in self._publishers]
        actor.subscribed(self._subscriptions)
        owner = f"{actor.name}.{instance}"
        self._inboxes = (
            _inboxes(context, endpoints.listen(owner, SocketKind.INBOX)) if actor.has_inbox else []
        )
        self._server = RpcServer(context, *endpoints.listen(owner, SocketKind.ASK))
        self._context = context
        self._guard = context.guard
        self._reach = Reach()
        self._tell_frame = tell_frame
        self._listen()
        self._tell_frames()

    def _listen(self) -> None:
        guarded = [self._guard.socket] if self._guard else []
        takers = [*self._subscriptions, *self._inboxes]
        self._askers = [*self._server.sockets, *guarded]
        self._ears = Ears([*takers, *self._askers])
        counts = len(self._subscriptions), len(self._inboxes), len(self._askers)
        self.rounds = Rounds(self.actor, self._ears, *counts, self._take_questions, self._look_around)
        for fd in self.rounds.watched:
            self._ears.watch(fd)

    def run(self, stop: Stop, tell_ready: Callable[[], None]) -> None:
        """Serve until `stop` is set; `tell_ready` is called once the actor is ready."""
        self._ears.watch(stop.fd)
        self._get_ready(stop)
        tell_ready()
        self.rounds.run(stop)
        self._ears.ignore(stop.fd)

    def _get_ready(self, stop: Stop) -> None:
        until = time.monotonic() + READY_WITHIN_S
        left_s = READY_WITHIN_S
        while left_s > 0 and not self.actor.is_ready() and not stop.is_set:
            still_busy()
            self.rounds.round(min(left_s, self.rounds.wait_s(), EVERY_S))
            left_s = until - time.monotonic()

    def close(self) -> None:
        """Close what only receives: a subscription to a publisher that is away would hold up the end."""
        for source in (*self._subscriptions, *self._inboxes):
            source.set(zmq.LINGER, 0)
        for link in self._publishers:
            link.close()
        for inbox in self._inboxes:
            inbox.close()

    def drain(self) -> None:
        """Take what has arrived on the bus, for DRAIN_S at most, and flush it."""
        for fd in self.rounds.watched:
            self._ears.ignore(fd)
        self.rounds.watched = self.rounds.watched_for_errors = {}
        until = time.monotonic() + DRAIN_S
        while (self.rounds.round(QUIET_S) or self.rounds.outboxes_wait()) and time.monotonic() < until:
            pass

    def stats(self) -> dict[str, float]:
        """All counters of the process, by name."""
        counters: dict[str, float] = {
            "frames_in": self.rounds.frames_in,
            "items_in": self.rounds.items_in,
            "bad_frames": self.rounds.bad_frames + self._server.bad_frames,
            "strangers_refused": self._guard.refused if self._guard else 0,
            "links_renewed": sum(link.renewed for link in self._context.links),
        }
        for outbox in self.actor.outboxes:
            counters |= outbox.stats()
        if writings := self._writings():
            counters[ERROR] = max(each.error for each in writings)
            counters[FAILURES] = sum(each.failures for each in writings)
        return counters | self.actor.stats()

    def _writings(self) -> Sequence[Writing]:
        for each in self.actor.writings:
            each.look()
        return self.actor.writings

    def _take_questions(self) -> None:
        """Also those that the guard is asked: whether a key may connect."""
        if self._guard:
            self._guard.serve()
        for _ in range(FRAMES_A_ROUND):
            question = self._server.take()
            if question is None:
                break
            self._answer(question)
        first = len(self._subscriptions) + len(self._inboxes)
        for number in range(len(self._askers)):
            self._ears.look_again(first + number)

    def _answer(self, question: Question) -> None:
        try:
            answer = self._answer_to(question)
        except LookupError:
            question.refuse(f"{self.actor.name} does not know the question {question.subject!r}")
        except NotWritten as error:
            question.refuse(str(error))
        else:
            question.reply(answer)

    def _answer_to(self, question: Question) -> Any:
        match question.subject:
            case "stats":
                return self.stats()
            case "notes":
                cannot_write = filter(None, (each.note() for each in self._writings()))
                return [*cannot_write, *self.actor.notes(), *self._reach.notes(), *self._refusals()]
            case "log.level":
                return self._choose_level(question.body)
        return self.actor.answer(question.subject, question.body)

    def _choose_level(self, level: object) -> str:
        """Put a level of the log in force, if one was named; return the one that is."""
        if level in log.LEVELS:
            log.set_level(str(level))
            self._tell_frames()
        return log.current_level()

    def _tell_frames(self) -> None:
        tell = self._tell_frame if log.current_level() == "debug" else None
        self.rounds.tell_frame = tell
        self.actor.tell_frames(tell)

    def _look_around(self, now: float) -> None:
        """Report peers that we cannot reach, peers that we refuse, and files that we cannot write."""
        for each in self._writings():
            if news := each.news():
                structlog.get_logger().warning(news)
        self._context.look(now)
        refused = self._guard.look(now) if self._guard else []
        for line in [*self._reach.look(self.actor.peers(), self._context.links, now, time.time()), *refused]:
            structlog.get_logger().warning(line)

    def _refusals(self) -> list[str]:
        return self._guard.notes(time.monotonic()) if self._guard else []


def _subscription(context: BusContext, endpoint: str) -> Link:
    socket = context.socket(zmq.SUB)
    socket.set(zmq.RCVHWM, SUBSCRIPTION_FRAMES)
    socket.set(zmq.RECONNECT_IVL, RECONNECT_MS)
    return context.link(socket, endpoint)


def _inboxes(context: BusContext, endpoints: Sequence[str]) -> list[zmq.Socket[bytes]]:
    return context.listen(zmq.PULL, endpoints, rcvhwm=HIGH_WATER_MARK)
