"""The history: keeps the messages that passed for some hours, by call, and shows them to Homer."""

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import structlog
import zmq

from switchboard.bus.actor import Actor
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.tap import topic_of
from switchboard.core.own_requests import PROBE_END
from switchboard.core.targets import PROBE_CALL_ID as PROBE
from switchboard.history.export import HepSender
from switchboard.history.seen import Direction, Seen, call_id_of
from switchboard.history.store import HistoryStore, Limits
from switchboard.history.tapped import Sample, TapReader
from switchboard.settings.hosts import Component
from switchboard.settings.model import Settings
from switchboard.settings.site import clock_of, lasting_workers, router_numbers
from switchboard.sip.dispatch import BRANCH_PREFIX
from switchboard.storage.mending import reports
from switchboard.workers.run import run_actor

_OUR_BRANCH = rb"branch=%s[^;, \r\n]*%s" % (BRANCH_PREFIX.encode(), PROBE_END.encode())
_QUALIFIES = re.compile(rb"[^\r\n]*\r\n(?:via|v)[ \t]*:[^\r\n,]*" + _OUR_BRANCH, re.IGNORECASE)
GATHER_S = 0.25
"""Between two commits."""
TRIM_S = 1.0
"""Between two looks at the limits, and at the room that others need."""
LATEST_NS = 2_000_000_000
"""What has waited for longer is dropped: who falls behind is to catch up, not to fill the memory."""
WAITING = 50_000
"""Messages between two commits, at most."""


class HistoryService(Actor):
    """Owns the messages of past calls and registrations; nobody waits for it.

    Subscribes to the taps of edge and routers; with `history_hops` also to the translator's.
    HistoryError if history.db cannot be used.
    """

    name = "history"
    has_inbox = False

    def __init__(self, settings: Settings, context: BusContext, instance: int) -> None:  # noqa: ARG002
        self._clock = clock_of(settings)
        self._age_s = settings.history_hours * 3600.0
        limits = Limits(settings.history_calls, self._age_s, settings.history_mb << 20)
        self._settings = settings
        self._store = HistoryStore(settings.history_path, limits)
        for report in reports(settings.history_path):
            structlog.get_logger().warning(str(report))
        self.writings = [self._store.writing]
        self._reader = TapReader(settings.sip_host, settings.sip_port, hops=settings.history_hops)
        self._hep = HepSender(settings.hep) if settings.hep else None
        self._sample = Sample(settings.history_rate)
        self._sockets: Sequence[zmq.Socket[bytes]] = ()
        self._waiting: defaultdict[str, list[Seen]] = defaultdict(list)
        self._count = self._kept = self._late = self._overflowed = self._nameless = 0
        self._next_commit = self._next_trim = 0.0

    def subscriptions(self, endpoints: Endpoints) -> list[str]:
        """The taps."""
        return [endpoints.publisher(*each) for each in tapped_workers(self._settings)]

    def subscribed(self, sockets: Sequence[zmq.Socket[bytes]]) -> None:
        """Listen to all calls, for the time being."""
        self._sockets = sockets
        self._listen(b"", topic_of(self._sample.halvings))

    def receive(self, subject: str, body: Any, now: float) -> None:  # noqa: ARG002
        """Take the messages of one frame of a tap, unless it is late; under load choose another sample."""
        if _is_late(body):
            self._late += 1
            self._reader.skip(body)
            return
        before = self._count
        for seen in self._reader.read(body):
            self._take(seen)
        self._sample.count(self._count - before)
        self._adapt(now)

    def next_deadline(self) -> float | None:
        """The next commit, or the next look at the limits."""
        return min(self._next_commit, self._next_trim) if self._count else self._next_trim

    def handle_timer(self, now: float) -> None:
        """Commit what waits, and keep the limits."""
        self._adapt(now)
        self._commit()
        self._next_commit = now + GATHER_S
        if now >= self._next_trim:
            self._clock.look()
            self._store.trim(int(self._clock.least_wall(self._age_s) * 1e9))
            self._next_trim = now + TRIM_S

    def notes(self) -> list[str]:
        """What was lost of its file."""
        return list(map(str, reports(self._settings.history_path)))

    def stats(self) -> dict[str, float]:
        """Messages kept, and those that were not, by cause; frames that came late or never."""
        return {
            "kept": self._kept,
            "skipped": self._sample.skipped,
            "late_frames": self._late,
            "overflowed": self._overflowed,
            "nameless": self._nameless,
            "cut": self._store.cut,
            "forgotten": self._store.forgotten,
            "unwritten": self._store.unwritten,
            "missed_frames": self._reader.missed,
            "bad_taps": self._reader.bad,
            **(self._hep.stats() if self._hep else {}),
        }

    def close(self) -> None:
        """Commit what waits, and let go of the file."""
        self._commit()
        self._store.close()
        if self._hep:
            self._hep.close()

    def _adapt(self, now: float) -> None:
        before = topic_of(self._sample.halvings)
        if self._sample.look(now):
            self._listen(before, topic_of(self._sample.halvings))
            self._reader.begin_anew()

    def _listen(self, before: bytes, topic: bytes) -> None:
        """The taps choose for us: what is not kept is not even sent."""
        for each in self._sockets:
            if before:
                each.unsubscribe(before)
            each.subscribe(topic)

    def _take(self, seen: Seen) -> None:
        call_id = call_id_of(seen.raw)
        if not call_id:
            self._nameless += 1
        elif call_id.startswith(PROBE) and (_is_ours(seen) or is_qualifying(seen)):
            return
        elif self._count >= WAITING:
            self._overflowed += 1
        else:
            self._waiting[call_id].append(seen)
            self._count += 1
            if self._hep:
                self._hep.send(seen, call_id)

    def _commit(self) -> None:
        waiting, self._waiting = self._waiting, defaultdict(list)
        if waiting:
            for messages in waiting.values():
                messages.sort(key=_instant)
            self._kept += self._store.add(waiting)
        self._count = 0


def tapped_workers(settings: Settings) -> Iterable[tuple[str, int]]:
    """Names and instances of the workers to whose taps the history listens."""
    yield from ((each.name, each.instance) for each in lasting_workers(Component.EDGE, settings))
    yield from (("router", number) for number in router_numbers(settings))
    if settings.history_hops:
        yield ("translator", 0)


def _instant(seen: Seen) -> int:
    return seen.at_ns


def _is_ours(seen: Seen) -> bool:
    """Between this machine and itself: nobody else can hide by a name."""
    return seen.source.host == seen.destination.host


def is_qualifying(seen: Seen) -> bool:
    """Whether it is an OPTIONS of ours to a phone, or the answer. What else a stranger gives such a name is kept."""
    start = b"OPTIONS " if seen.direction is Direction.OUT else b"SIP/2.0 "
    return seen.raw.startswith(start) and _QUALIFIES.match(seen.raw) is not None


def _is_late(body: Any) -> bool:
    """Whether the oldest that was gathered is."""
    match body:
        case [_, _, [[int(at_ns), *_], *_]]:
            return time.time_ns() - at_ns > LATEST_NS
    return False


run = partial(run_actor, HistoryService)

if __name__ == "__main__":
    run()
