"""A shared location in memory, with faults, and registrars that share one."""

import errno
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from registrar.registers import NOW_AT

from switchboard.registrar.link import Link
from switchboard.registrar.remote import ABSENT, Answer, Followed, Kept, Outcome, Put, RemoteError
from switchboard.registrar.shared import SharedStore

HANGS_S = 60.0


class MemoryLocation:
    """What `Remote` says, in the simplest way. `fault`: what the next calls raise; `half`: after half of their work."""

    def __init__(self, clock: Callable[[], float] = lambda: NOW_AT, ahead_s: float = 0.0) -> None:
        self.users: dict[str, tuple[int, bytes, float]] = {}
        self.log: list[Kept] = []
        self.trimmed = 0
        self.life = 0
        self.version = 0
        self.fault: RemoteError | None = None
        self.is_half = False
        self.ahead_s = ahead_s
        self.clock = clock
        self.lock = threading.Lock()

    def connect(self) -> "MemoryRemote":
        return MemoryRemote(self)

    def lose_all(self) -> None:
        """As FLUSHALL."""
        with self.lock:
            self.users, self.log, self.trimmed = {}, [], 0
            self.life += 1

    def trim(self) -> None:
        """The log is cut behind its last entry."""
        with self.lock:
            self.trimmed += len(self.log)
            self.log = []


class FromAfar:
    """The location for a registrar whose clock is ahead of the test's by `ahead_s`."""

    def __init__(self, location: MemoryLocation, ahead_s: float) -> None:
        self._location, self._ahead_s = location, ahead_s

    def connect(self) -> "MemoryRemote":
        return MemoryRemote(self._location, self._ahead_s)


class MemoryRemote:
    def __init__(self, location: MemoryLocation, ours_ahead_s: float = 0.0) -> None:
        self.ahead_s = 0.0
        self.foreign = 0
        self._location, self._ours_ahead_s = location, ours_ahead_s
        self._at: tuple[int, int] | None = None
        self.answers = threading.Event()
        """Cleared: `put` hangs."""
        self.answers.set()
        self.is_quick = False
        """Whether the answer to what is asked is there at once."""

    def check(self) -> None:
        self._meet()

    def _meet(self) -> None:
        self.ahead_s = self._location.ahead_s - self._ours_ahead_s
        if self._location.fault:
            raise self._location.fault

    def put(self, puts: Sequence[Put]) -> list[Outcome]:
        location = self._location
        assert self.answers.wait(HANGS_S)
        if not location.is_half:
            self._meet()
        with location.lock:
            done = [self._put(put) for put in (puts[: len(puts) // 2 + 1] if location.is_half else puts)]
        if location.is_half:
            raise RemoteError("the connection was closed", errno.ECONNRESET)
        return done

    def ask(self, puts: Sequence[Put], within_s: float) -> Answer:  # noqa: ARG002
        return self.put(puts) if self.is_quick else partial(self.put, puts)

    def _put(self, put: Put) -> Outcome:
        location, now_at = self._location, self._location.clock() + self._location.ahead_s
        version, record, until = self._found(put.user, now_at)
        if version != put.version:
            return Outcome(False, Kept(put.user, version, record))
        location.version = max(location.version + 1, int(now_at * 1e6))
        location.users[put.user] = location.version, put.record, max(until, now_at + put.left_s)
        kept = Kept(put.user, location.version, put.record)
        location.log.append(kept)
        return Outcome(True, kept)

    def _found(self, user: str, now_at: float) -> tuple[int, bytes, float]:
        version, record, until = self._location.users.get(user, (ABSENT, b"", 0.0))
        return (version, record, until) if until > now_at else (ABSENT, b"", 0.0)

    def begin(self) -> None:
        self._meet()
        location = self._location
        with location.lock:
            self._at = location.life, location.trimmed + len(location.log)

    def load(self) -> Iterator[list[Kept]]:
        self._meet()
        now_at = self._location.clock() + self._location.ahead_s
        with self._location.lock:
            found = [Kept(user, *self._found(user, now_at)[:2]) for user in self._location.users]
        yield [kept for kept in found if kept.version]

    def follow(self) -> Followed:
        self._meet()
        assert self._at is not None
        location = self._location
        with location.lock:
            life, at = self._at
            if life != location.life or at < location.trimmed:
                return Followed([], True)
            self._at = life, location.trimmed + len(location.log)
            return Followed(location.log[at - location.trimmed :])

    def is_known(self) -> bool:
        return self._at is not None

    def doubts(self) -> list[tuple[str, str]]:
        return []

    def close(self) -> None:
        pass


class HandLink(Link):
    """Does nothing by itself: `go_round` is the test's."""

    def start(self, within_s: float) -> None:  # noqa: ARG002
        self.go_round()

    def close(self) -> None:
        """There is no thread."""
        os.close(self.fd)


def hand_store(location: MemoryLocation, ahead_s: float = 0.0, patience_s: float = math.inf) -> SharedStore:
    """One in memory, which hears of others when `catch_up` is called. `ahead_s`: of its clock."""
    afar = FromAfar(location, ahead_s)
    store = SharedStore(":memory:", afar, lambda: location.clock() + ahead_s, HandLink, patience_s)
    settle(store)
    return store


def settle(store: SharedStore) -> None:
    """Do all that is there to do."""
    while store.is_waiting:
        store.go_on()


def catch_up(store: SharedStore) -> None:
    """Hear of all that others have done, and of nothing more."""
    link = store._link
    while True:
        try:
            more = link.go_round() == 0.0
        except RemoteError as error:
            link.error, link.is_up = error, False
            return
        if store.writing.error:
            store.try_again()
        settle(store)
        if not more:
            return


def await_true(holds: Callable[[], object], within_s: float = 10.0) -> None:
    """Wait until it holds."""
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until, "never"
        time.sleep(0.005)


def tend(store: SharedStore, holds: Callable[[], object], within_s: float = 10.0) -> None:
    """Do what the worker's loop does with a store until it holds."""

    def turn() -> object:
        tend_once(store)
        return holds()

    await_true(turn, within_s)


def tend_once(store: SharedStore) -> None:
    """Do what the worker's loop does with a store in one round."""
    if store.writing.error:
        store.try_again()
    if store.is_waiting:
        store.go_on()


def up(store: SharedStore, within_s: float = 30.0) -> SharedStore:
    """The same, once its location has answered: the first look makes tables, and a start does not wait for that."""
    tend(store, lambda: not store.writing.error, within_s)
    return store
