"""The journal: one call detail record for each call that has ended."""

import time
from collections.abc import Iterable
from functools import partial
from typing import Any

import structlog

from switchboard.bus import frames
from switchboard.bus.actor import Actor
from switchboard.bus.context import BusContext
from switchboard.bus.peer import Peer
from switchboard.bus.rounds import RETRY_S
from switchboard.journal.deliveries import Router
from switchboard.journal.file import read_part, read_part_before
from switchboard.journal.journal import Journal
from switchboard.settings.journal import shipping_of
from switchboard.settings.model import Settings
from switchboard.settings.site import clock_of, endpoints_of, leaving_routers
from switchboard.storage.mending import reports
from switchboard.workers.run import run_actor

_HEAD = frames.head("call.happened")
GATHER_S = 0.25
"""Between two commits: each waits for the disk, however much it holds. Routers tell as often (each its part)."""


class JournalService(Actor):
    """Owns the calls in progress and their records.

    Casts: clock.told, call.happened from routers -> call.acknowledged to that router, once the events are on disk;
    call.held while they cannot be written.
    Questions: call.list -> the calls in progress, oldest first; record.read, record.before -> lines of cdr.jsonl;
    state.image -> journal.db.
    StateError if journal.db cannot be used; SettingsError if a program for the database of records is missing.
    """

    name = "journal"

    def __init__(self, settings: Settings, context: BusContext, instance: int) -> None:  # noqa: ARG002
        self._clock = clock_of(settings)
        self._journal = Journal(
            settings.journal_path, settings.cdr_path, settings.max_call_s, self._clock.at()
        )
        self.writings = [self._journal.writing]
        self._journal.correct(self._clock.correction_s)
        self._settings = settings
        self._cdr_path, self._state_path = settings.cdr_path, settings.journal_path
        for report in reports(self._state_path):
            structlog.get_logger().warning(str(report))
        self._context = context
        self._endpoints = endpoints_of(settings)
        self._routers: dict[int, Peer] = {}
        self._unsaid: dict[Router, int] = {}
        self._bad_casts = 0
        self._has_news = False
        self._next_commit = 0.0
        self._shipping = shipping_of(settings)
        if self._shipping:
            self._shipping.start()

    def receive_frame(self, frame: bytes) -> int | None:
        """Fold the events of one router from within the frame, where that can be done."""
        if not frame.startswith(_HEAD):
            return None
        count = self._journal.receive_frame(frame, len(_HEAD), self._look_at_clock())
        self._has_news = self._has_news or count is not None
        return count

    def receive(self, subject: str, body: Any, now: float) -> None:  # noqa: ARG002
        """Fold the events of one router; another cast is counted."""
        if subject == "call.happened":
            self._journal.receive(body, self._look_at_clock())
            self._has_news = True
            return
        match subject, body:
            case "clock.told", [int(instance), str(incarnation), float(at)]:
                self._journal.told_clock(Router(instance, incarnation), at, self._clock.at())
            case _:
                self._bad_casts += 1

    def answer(self, question: str, body: Any) -> Any:
        """Answer call.list, record.read, record.before and state.image."""
        match question, body:
            case "state.image", _:
                return self._journal.image()
            case "call.list", _:
                return self._journal.calls(self._clock.at())
            case "record.read", int(position):
                return read_part(self._cdr_path, position)
            case "record.before", int(end):
                return list(read_part_before(self._cdr_path, end))
        return super().answer(question, body)

    def peers(self) -> Iterable[Peer]:
        """The routers that it has heard of, but for those that have left."""
        beyond = [number for number in self._routers if number >= self._settings.routers]
        for number in set(beyond).difference(leaving_routers(self._settings) if beyond else ()):
            self._forget(number)
        return self._routers.values()

    def _forget(self, number: int) -> None:
        self._routers.pop(number).close()
        for router in [router for router in self._unsaid if router.instance == number]:
            del self._unsaid[router]

    def next_deadline(self) -> float | None:
        """When a call has been waited for long enough, or a router that was away may be back."""
        deadline_at = self._journal.next_deadline_at()
        waits_s = [] if deadline_at is None else [deadline_at - self._clock.at()]
        if self._unsaid:
            waits_s.append(RETRY_S)
        if self._has_news:
            waits_s.append(self._next_commit - time.monotonic())
        return time.monotonic() + min(waits_s) if waits_s else None

    def handle_timer(self, now: float) -> None:  # noqa: ARG002
        """Give up the calls that have been waited for long enough."""
        self._journal.expire(self._look_at_clock())
        self._has_news = True

    def flush(self) -> None:
        """Bring the news to disk, at most every GATHER_S, then acknowledge it.

        A router that is away is told when it is back.
        """
        if self._has_news and time.monotonic() >= self._next_commit:
            self._commit()
        self._acknowledge()

    def _look_at_clock(self) -> float:
        """This moment. If the wall clock was set, the next records show it."""
        if self._clock.look():
            self._journal.correct(self._clock.correction_s)
        return self._clock.at()

    def _commit(self) -> None:
        before = self._journal.records
        self._unsaid |= self._journal.commit()
        if self._shipping and self._journal.records > before:
            self._shipping.told(self._journal.records - before)
        self._has_news = self._journal.writing.error != 0
        self._next_commit = time.monotonic() + GATHER_S
        if self._has_news:
            for router in self._journal.held:
                self._tell(router, "call.held", [router.incarnation])

    def _acknowledge(self) -> None:
        for router, number in list(self._unsaid.items()):
            if self._tell(router, "call.acknowledged", [router.incarnation, number]):
                del self._unsaid[router]

    def _tell(self, router: Router, subject: str, body: list[object]) -> bool:
        """One that our settings do not know repeats what it has said until we are started again."""
        if self._endpoints.knows(f"router.{router.instance}"):
            return self._peer(router.instance).send(subject, body)
        self._bad_casts += 1
        return True

    def notes(self) -> list[str]:
        """What was lost of its file, and what the database lacks."""
        lost = map(str, reports(self._state_path))
        return [*lost, *(self._shipping.notes() if self._shipping else ())]

    def stats(self) -> dict[str, float]:
        """Counters: what the journal has seen, and acknowledgements that wait."""
        return {
            **self._journal.stats(),
            **(self._shipping.stats() if self._shipping else {}),
            "bad_casts": self._bad_casts,
            "acknowledgements_waiting": len(self._unsaid),
            "commits_waiting": int(self._has_news),
        }

    def close(self) -> None:
        """Bring the last news to disk, and let go of the files and the routers."""
        self._commit()
        self._acknowledge()
        if self._shipping:
            self._shipping.close()
        self._journal.close()
        for peer in self._routers.values():
            peer.close()

    def _peer(self, instance: int) -> Peer:
        if instance not in self._routers:
            self._routers[instance] = Peer(self._context, self._endpoints.inbox("router", instance))
        return self._routers[instance]


run = partial(run_actor, JournalService)

if __name__ == "__main__":
    run()
