"""The store of bindings that several registrars share: SQLite here, and a location on a server (see `remote.py`).

Theory. The location decides; the file is this registrar's copy. It has all that the registrar and the routers of this
host ask for, so calls and queries go on while the server is away, and a server that has lost everything gets it back.
A batch goes to the location first, each user under the condition that the version is the one that was known here.
Then it goes into the file, then answers leave. Where the condition fails for some users, the batch ends by `Conflict`:
what was done of it is kept, with what the location has of these users, and the caller repeats the rest.

A server may be slow, or hang. So a batch waits for it for `patience_s` only, and ends by `Late`: nothing of it is kept.
A thread waits on. When the outcome is there, `go_on` takes over what has happened, as after a conflict, and the caller
repeats the rest, or all. Until then nothing else is put.

What others have changed comes by the `Link`, and is put into the file by `go_on`. When all users have been read, those
of whom the location knows less than this registrar are put there, with what is left of their lifetimes.
"""

import errno
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from switchboard.codec import CodecError, list_head, pack, unpack
from switchboard.registrar.link import Link, News, Sign
from switchboard.registrar.remote import ABSENT, Kept, Outcome, Put, Remote, RemoteError
from switchboard.registrar.sqlite import SqliteStore
from switchboard.registrar.store import Change, Conflict, Late
from switchboard.registrar.user_table import (
    EXPIRES_AT,
    UserTable,
    bindings_in,
    pack_record,
    pack_records,
)
from switchboard.storage.unusable import NotWritten

START_S: Final = 1.0
"""A start waits this long for the location."""
SLACK: Final = 10_000
"""Versions of users without bindings that are kept."""
PUSHED_AT_ONCE: Final = 256
"""Users of whom the location has lost something."""


class Location(Protocol):
    """Where the bindings are that are shared."""

    def connect(self) -> Remote:
        """Return one that connects when it is asked for something."""


class _News(NamedTuple):
    """What is to be taken over of a user: the record as here."""

    user: str
    version: int
    record: bytes


class _Flight(NamedTuple):
    """What is being put, and who is to be told of it."""

    puts: Sequence[Put]
    records: Mapping[str, bytes]
    outcomes: Future[list[Outcome]]
    told: list[Late]
    is_pushed: bool


class SharedStore(SqliteStore):
    """See `Store`. `clock`: epoch s by which lifetimes count here. `patience_s`: that of a batch with the location."""

    def __init__(
        self,
        path: Path | str,
        location: Location,
        clock: Callable[[], float],
        make_link: Callable[[Remote], Link] = Link,
        patience_s: float = math.inf,
        first: int = 0,
    ) -> None:
        super().__init__(path, first)
        self.conflicts = self.pushed = self.late = 0
        self._patience_s = patience_s
        self._executor = ThreadPoolExecutor(1, "puts")
        self._flight: _Flight | None = None
        self._clock = clock
        self._versions: dict[str, int] = {}
        self._made: dict[str, int] = {}  # versions of what is in the location, and not yet in the file
        self._done: list[_News] = []  # what a conflict has left of a batch
        self._is_clock_set = False
        self._is_shared = True
        self._changes: list[Change] = []
        self._seen: set[str] | None = None  # while all users are read
        self._to_push: dict[str, int] = {}
        self._remote = location.connect()
        self._link = make_link(location.connect())
        self._link.start(START_S)
        if not self._link.is_up:
            self._note_failure()

    @contextmanager
    def batch(self) -> Iterator[Change]:
        """As in `Store`."""
        try:
            with super().batch() as change:
                yield change
        except Conflict as conflict:
            self.conflicts += len(conflict.users)
            self._keep(self._done)
            raise

    @contextmanager
    def expiring(self) -> Iterator[Change]:
        """As in `Store`: the location forgets by itself what has expired."""
        self._is_shared = False
        try:
            with self.batch() as change:
                yield change
        finally:
            self._is_shared = True
        for record in change.records:
            user, bindings = unpack(record)
            if not bindings:
                self._versions.pop(user, None)

    def _settle(self, change: Change) -> None:
        if change.records and self._is_shared:
            self._share(change)
        made, self._made = self._made, {}
        try:
            super()._settle(change)
        except NotWritten:
            if made:
                self._link.reload()
            raise
        self._note(made)

    def _note(self, versions: Mapping[str, int]) -> None:
        """Those of users without bindings are not kept for ever: whoever does not know one learns it."""
        self._versions |= versions
        if len(self._versions) > 2 * len(self.table) + SLACK:
            self._versions = {user: each for user, each in self._versions.items() if user in self.table}

    def _share(self, change: Change) -> None:
        """Put what has changed into the location. NotWritten; Conflict."""
        if self.writing.error:
            raise NotWritten(self.writing.note())
        records = {unpack(record)[0]: record for record in change.records}
        puts = [
            self._put_of(user, record, self._versions.get(user, ABSENT)) for user, record in records.items()
        ]
        try:
            outcomes = self._put_there(puts, records)
        except RemoteError as error:
            self._fail(error)
            raise NotWritten(str(error)) from error
        done, others = _sorted(puts, outcomes, records)
        if not others:
            self._made = {each.user: each.version for each in done}
            return
        self._done = [*done, *filter(None, map(self._learnt, others))]
        raise Conflict({kept.user for kept in others})

    def _put_there(
        self, puts: Sequence[Put], records: Mapping[str, bytes], *, is_pushed: bool = False
    ) -> list[Outcome]:
        """RemoteError; Late."""
        if self._flight is not None:
            raise _awaiting(self._flight)
        if self._patience_s == math.inf:
            return self._remote.put(puts)
        until = time.monotonic() + self._patience_s
        answer = self._remote.ask(puts, self._patience_s)
        if isinstance(answer, list):
            return answer
        outcomes = self._executor.submit(answer)
        try:
            return outcomes.result(max(0.0, until - time.monotonic()))
        except TimeoutError:
            self.late += 1
            self._flight = _Flight(puts, records, outcomes, [], is_pushed)
            outcomes.add_done_callback(lambda _: self._link.wake())
            raise _awaiting(self._flight) from None

    def _land(self, flight: _Flight) -> None:
        """Take over what a late put has done. Only who has put it first is told of it; others have to try."""
        self._flight = None
        users: set[str] | None = None
        try:
            done, others = _sorted(flight.puts, flight.outcomes.result(), flight.records)
        except RemoteError as error:
            self._fail(error)
        else:
            self.conflicts += len(others)
            self.pushed += len(done) if flight.is_pushed else 0
            if self._keep(filter(self._is_news, [*done, *filter(None, map(self._learnt, others))])):
                users = {kept.user for kept in others}
        for number, late in enumerate(flight.told):
            late.tell(None if number else users)

    def _is_news(self, news: _News) -> bool:
        """Whether it is later than what is known, and another record."""
        if news.version <= self._versions.get(news.user, ABSENT):
            return False
        if self._has(news):
            self._versions[news.user] = news.version
            return False
        return True

    def _learnt(self, kept: Kept) -> _News | None:
        """What a conflict has shown. If the location knows an earlier version than we do, ours stays."""
        if kept.version > self._versions.get(kept.user, ABSENT):
            return self._news_of(kept)
        self._versions[kept.user] = kept.version
        return None

    def _put_of(self, user: str, record: bytes, version: int) -> Put:
        bindings = unpack(record)[1]
        until = max((each[EXPIRES_AT] for each in bindings), default=0.0)
        there = _moved(record, self._link.ahead_s)
        return Put(user, version, there, until - self._clock())

    def _news_of(self, kept: Kept) -> _News | None:
        """None for octets that are no record: the next REGISTER writes over them."""
        try:
            record = _moved(kept.record, -self._link.ahead_s)
            if UserTable().take(pack_records([record])) != [kept.user]:
                raise CodecError("of another user")
        except (CodecError, TypeError, ValueError):
            self._versions[kept.user] = kept.version
            return None
        return _News(kept.user, kept.version, record)

    def _keep(self, news: Iterable[_News]) -> bool:
        """Take over what is in the location already. What cannot be written is read once more: False."""
        taken = list(news)
        if not taken:
            return True
        self._is_shared = False
        try:
            with super().batch() as change:
                for each in taken:
                    self.records.append(each.record)
                    self.table.take(pack_records([each.record]), 0, self.number + 1)
        except NotWritten:
            self._link.reload()
            return False
        finally:
            self._is_shared = True
        self._note({each.user: each.version for each in taken})
        self._changes.append(change)
        return True

    def take_changes(self) -> list[Change]:
        """As in `Store`."""
        taken, self._changes = self._changes, []
        return taken

    @property
    def fd(self) -> int | None:
        """As in `Store`."""
        return self._link.fd

    @property
    def is_waiting(self) -> bool:
        """As in `Store`."""
        if self._flight is not None and self._flight.outcomes.done():
            return True
        can_push = bool(self._to_push) and self._flight is None
        return not self.writing.error and (can_push or self._link.is_waiting)

    def go_on(self) -> None:
        """As in `Store`: take over some of what others have changed, or put some of what they have lost."""
        self._link.heard()
        if self._flight is not None and self._flight.outcomes.done():
            self._land(self._flight)
        if not (self.writing.error or self._link.is_up):
            self._note_failure()
        if self.writing.error:
            return
        news = self._link.take()
        if news is not None:
            self._take(news)
        elif self._to_push and self._flight is None:
            self._push()

    def give_up(self) -> None:
        """As in `Store`: the location counts as away until it answers."""
        if self._flight is not None and not self.writing.error:
            self._fail(RemoteError("the location does not answer", errno.ETIMEDOUT))

    def _take(self, news: News) -> None:
        if isinstance(news, list):
            latest = {kept.user: kept for kept in news}
            self._keep(filter(None, map(self._compared, latest.values())))
        elif news is Sign.END:
            self._find_lost()
        else:
            self._seen, self._to_push = set(), {}
            self._is_clock_set = news is Sign.BEGIN_WITH_OTHER_CLOCK

    def _compared(self, kept: Kept) -> _News | None:
        """What is new to us. While all users are read: also what we know better."""
        known = self._versions.get(kept.user, ABSENT)
        if self._seen is not None:
            self._seen.add(kept.user)
            if kept.version < known or (kept.version == known and self._is_clock_set):
                self._to_push[kept.user] = kept.version
        news = self._news_of(kept) if kept.version > known else None
        if news and self._has(news):
            self._versions[kept.user] = kept.version
            return None
        return news

    def _has(self, news: _News) -> bool:
        """Whether the copy has that already, as after most starts."""
        bindings = self.table.get(news.user) or pack([])
        return news.record == list_head(2) + pack(news.user) + bindings

    def _find_lost(self) -> None:
        """Users whom the location does not know, and who are bound here."""
        seen, self._seen = self._seen or set(), None
        self._to_push |= dict.fromkeys((user for user in self.table.users() if user not in seen), ABSENT)

    def _push(self) -> None:
        puts, records = [], {}
        now_at = self._clock()
        for user in list(islice(self._to_push, PUSHED_AT_ONCE)):
            version = self._to_push.pop(user)
            bindings = [each for each in bindings_in(self.table.get(user)) if each.expires_at > now_at]
            if bindings or version != ABSENT:
                records[user] = pack_record(user, bindings)
                puts.append(self._put_of(user, records[user], version))
        try:
            outcomes = self._put_there(puts, records, is_pushed=True) if puts else []
        except Late:
            return
        except RemoteError as error:
            self._fail(error)
            return
        done, others = _sorted(puts, outcomes, records)
        self.pushed += len(done)
        self._note({each.user: each.version for each in done})
        self._keep(filter(None, map(self._learnt, others)))

    def try_again(self) -> bool:
        """As in `Store`: of the location and of the file."""
        self._link.heard()
        if not self._link.is_up:
            self._note_failure()
            return False
        return super().try_again()

    def _fail(self, error: RemoteError) -> None:
        """Until the link has seen that it can be written. It may have taken some of what it was told."""
        self._link.reload(error)
        self._note_failure()

    def _note_failure(self) -> None:
        error = self._link.error
        if error is not None:
            self.writing.failed(error.number, str(error))
        else:
            self.writing.failed(errno.ETIMEDOUT, "the location has not answered yet")

    def stats(self) -> dict[str, float]:
        """As in `Store`."""
        return {
            "location.up": int(self._link.is_up),
            "location.conflicts": self.conflicts,
            "location.pushed": self.pushed,
            "location.late": self.late,
            "location.loads": self._link.loads,
            "location.foreign": self._link.foreign,
        }

    def close(self) -> None:
        """Let go of the file and the location."""
        self._link.close()
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._flight is None:
            self._remote.close()
        super().close()


def _awaiting(flight: _Flight) -> Late:
    late = Late()
    flight.told.append(late)
    return late


def _sorted(
    puts: Sequence[Put], outcomes: Sequence[Outcome], records: Mapping[str, bytes]
) -> tuple[list[_News], list[Kept]]:
    """What of it has happened, and what is there instead of the rest."""
    done = [
        _News(put.user, outcome.kept.version, records[put.user])
        for put, outcome in zip(puts, outcomes, strict=True)
        if outcome.is_done
    ]
    return done, [outcome.kept for outcome in outcomes if not outcome.is_done]


def _moved(record: bytes, by_s: float) -> bytes:
    """The record as it is by a clock that is ahead by this amount. CodecError, TypeError, ValueError."""
    if not by_s:
        return record
    user, bindings = unpack(record)
    return pack([user, [_moved_binding(each, by_s) for each in bindings]])


def _moved_binding(found: list[Any], by_s: float) -> list[Any]:
    return [*found[:EXPIRES_AT], found[EXPIRES_AT] + by_s, *found[EXPIRES_AT + 1 :]]
