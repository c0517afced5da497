"""Keeps a router's replica of the bindings up to date (docs/BUS.md, location.*).

Theory. A subscriber that joins late, or loses a message, has to notice and to catch up. Every change has a number,
and the registrar repeats the last number every second. A router that misses one gets a new snapshot: from the
registrar's store if that is on this host, otherwise page by page over the bus. The snapshot comes in slices, and the
old replica serves meanwhile. Changes that arrive in this time are held, and applied at the end. Each change has all
bindings of its users, so it does no harm if the snapshot already contains it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any, Protocol

from switchboard.codec import CodecError
from switchboard.registrar.binding import Binding
from switchboard.registrar.replica import Replica
from switchboard.registrar.sqlite import read_remains, read_rows
from switchboard.registrar.store import Page, Snapshot, StoreError
from switchboard.registrar.user_table import UserTable, pack_users, users_in
from switchboard.storage.mending import is_damage

ALIKE_S = 1.0
"""Clocks of two hosts that differ by less count as one."""
SILENT_S = 3.0
"""The registrar tells its number every second."""
ASK_AGAIN_S = 1.0
OCTETS_AT_ONCE = 250_000
"""Of the store, some milliseconds: what has come meanwhile is served before the next ones."""


class Follower(Protocol):
    """`now`: monotonic s. Every `number` is the last change's that somebody knows of."""

    @property
    def snapshots(self) -> int:
        """How many were needed so far."""

    @property
    def is_current(self) -> bool:
        """Whether the registrar has told that nothing is missing; from then on each change is heard of."""

    def is_fresh(self, now: float) -> bool:
        """Whether it knows the bindings of now: it is current, and has heard of the registrar a moment ago."""

    def start(self, now: float) -> None:
        """Fill the replica for the first time."""

    def take_over(self, now: float) -> None:
        """Fill the replica anew; what is in it, of another registrar, serves meanwhile."""

    def changed(self, number: int, records: bytes, start: int, now: float) -> None:
        """Take a `location.changed`; its packed list of records starts there."""

    def learned(self, number: int, records: bytes, start: int, now: float) -> None:
        """Take a `location.learned`, which is a change of the same series."""

    def told(self, number: int, now: float) -> None:
        """Take a `location.number`."""

    def told_clock(self, at: float, now: float) -> None:
        """Take a `location.clock`."""

    def take_page(self, item: Sequence[Any], now: float) -> None:
        """Take an item of `location.page`."""

    def next_deadline(self) -> float | None:
        """When `handle_timer` wants to be called."""

    def handle_timer(self, now: float) -> None:
        """The deadline has come."""

    def notes(self, now: float) -> list[str]:
        """What people are to know of it."""


class Coming:
    """A snapshot that is being put together. `number`: the last change's that is in `users`."""

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.users = UserTable()


class StoreFollower:
    """Reads the registrar's own store, which is on this host, whenever a change is missing.

    At the start it reads all of it: StoreError, if it is of another version. Later it reads OCTETS_AT_ONCE at a time,
    while what is known serves and changes wait. Of a damaged store it takes what can be read if it knows nothing yet.
    """

    def __init__(self, replica: Replica, path: Path) -> None:
        self.snapshots = 0
        self._replica = replica
        self._path = path
        self._silence = Silence()
        self._failure = ""
        self._is_told = False
        self._coming = Coming()
        self._rows: Iterator[tuple[int, bytes]] | None = None  # while they are read
        self._held: list[tuple[int, bytes]] = []

    @property
    def is_current(self) -> bool:
        return self._is_told and self._rows is None

    def is_fresh(self, now: float) -> bool:
        return self.is_current and self._silence.lasts_s(now) < SILENT_S

    def start(self, now: float) -> None:
        self.take_over(now)
        self._read(inf, is_start=True)

    def take_over(self, now: float) -> None:
        self._silence.heard(now)
        self._begin()

    def changed(self, number: int, records: bytes, start: int, now: float) -> None:
        self._silence.heard(now)
        if self._rows is not None:
            self._held.append((number, records[start:]))
        elif not self._replica.apply(number, records, start):
            self._begin()

    learned = changed

    def told(self, number: int, now: float) -> None:
        self._silence.heard(now)
        self._is_told = True
        if self._rows is None and (self._failure or number != self._replica.number):
            self._begin()

    def told_clock(self, at: float, now: float) -> None:
        """It is ours, too."""

    def take_page(self, item: Sequence[Any], now: float) -> None:
        """Nobody was asked for one."""

    def next_deadline(self) -> float | None:
        return None if self._rows is None else 0.0

    def handle_timer(self, now: float) -> None:  # noqa: ARG002
        if self._rows is not None:
            self._read(OCTETS_AT_ONCE)

    def notes(self, now: float) -> list[str]:
        failures = [f"{self._failure} Bindings are those of memory."] if self._failure else []
        return [*failures, *self._silence.notes(now, "its store")]

    def _begin(self) -> None:
        self._coming, self._rows, self._held = Coming(), read_rows(self._path), []

    def _read(self, octets: float, *, is_start: bool = False) -> None:
        """Go on; while that is impossible, what is known stays so, and it is tried at the next number."""
        try:
            is_whole = self._take_rows(octets)
        except (StoreError, CodecError) as error:
            if is_start and isinstance(error, StoreError) and error.is_of_another_version:
                raise
            self._failure, self._rows = str(error), None
            if not self._replica.is_loaded and is_damage(error.__cause__):
                self._take_remains()
            return
        if is_whole:
            self._failure, self._rows = "", None
            self.snapshots += 1
            self._replica.adopt(self._coming.number, self._coming.users)
            self._apply_held()

    def _take_rows(self, octets: float) -> bool:
        """Whether these were all."""
        assert self._rows is not None
        for number, records in self._rows:
            self._coming.users.take(records)
            self._coming.number = number
            octets -= len(records)
            if octets <= 0:
                return False
        return True

    def _take_remains(self) -> None:
        """Serve with what can be read, as the registrar does while it cannot mend the file."""
        self._coming = Coming()
        with suppress(StoreError, CodecError):
            self._rows = read_remains(self._path)
            self._take_rows(inf)
            self._replica.adopt(self._coming.number, self._coming.users)
        self._rows = None

    def _apply_held(self) -> None:
        for number, records in self._held:
            if not self._replica.apply(number, records):
                self._begin()
                return


class Copy(Protocol):
    """The bindings as last known, on the disk of a host that does not have the registrar."""

    def load(self) -> Snapshot | None:
        """What was kept; None if nothing was."""

    def add(self, users: Mapping[str, Sequence[Binding]]) -> None:
        """Keep the bindings of these users, of a snapshot that is not whole yet."""

    def settle(self, number: int, has: Callable[[str], bool]) -> None:
        """The snapshot is whole: it is as of change `number`, and `has` these users and no others."""

    def put(self, number: int, users: dict[str, list[Binding]]) -> None:
        """Keep the bindings of these users as of change `number`."""


class PageFollower:
    """Asks the registrar, which is on another host, page by page; until it answers, a copy has to do.

    Changes that are published meanwhile wait for the last page. Each holds all bindings of its users, so one
    that a page knew already does no harm. `ask` casts `location.wanted` for the users after a name. `clock`:
    this host's, which need not show what the registrar's does; the ends of bindings are brought to it.
    """

    def __init__(
        self, replica: Replica, copy: Copy, ask: Callable[[str], None], clock: Callable[[], float]
    ) -> None:
        self.snapshots = 0
        self._replica = replica
        self._copy = copy
        self._ask = ask
        self._clock = clock
        self._ahead_s = 0.0  # of ours the registrar's clock is
        self._silence = Silence()
        self._coming: Coming | None = None
        self._after = ""
        self._held: list[tuple[int, bytes]] = []
        self._ask_at: float | None = None
        self._is_old = False
        self._is_told = False

    @property
    def is_current(self) -> bool:
        return self._is_told and self._coming is None

    def is_fresh(self, now: float) -> bool:
        return self.is_current and self._silence.lasts_s(now) < SILENT_S

    def start(self, now: float) -> None:
        kept = self._copy.load()
        if kept:
            self._replica.load(kept)
            self._is_old = True
        self.take_over(now)

    def take_over(self, now: float) -> None:
        self._silence.heard(now)
        self._begin(now)

    def changed(self, number: int, records: bytes, start: int, now: float) -> None:
        self._silence.heard(now)
        self._apply(number, records[start:], now)

    learned = changed

    def told(self, number: int, now: float) -> None:
        self._silence.heard(now)
        self._is_told = True
        if self._coming is None and number != self._replica.number:
            self._begin(now)

    def told_clock(self, at: float, now: float) -> None:
        ahead_s = at - self._clock()
        if abs(ahead_s - self._ahead_s) >= ALIKE_S:
            self._ahead_s = ahead_s if abs(ahead_s) >= ALIKE_S else 0.0
            self._begin(now)
        elif self._ahead_s:
            self._ahead_s = max(self._ahead_s, ahead_s)  # what was on the way for less time is truer

    def take_page(self, item: Sequence[Any], now: float) -> None:
        page = Page.from_wire(item)
        if self._coming is None or page.after != self._after or self._is_stale(page):
            return
        coming = self._coming if self._after else Coming(page.number)
        users = self._as_here(page.users)
        coming.users.take(pack_users(users))
        self._copy.add(users)
        self._coming = coming
        if page.more:
            self._after = next(reversed(page.users))
            self._ask_next(now)
        else:
            self._finish(coming, now)

    def next_deadline(self) -> float | None:
        return self._ask_at

    def handle_timer(self, now: float) -> None:
        if self._ask_at is not None and now >= self._ask_at:
            self._ask_next(now)

    def notes(self, now: float) -> list[str]:
        if not self._replica.is_loaded:
            return ["no bindings yet: the registrar has not answered, and there is no copy"]
        return self._silence.notes(now, "its own copy" if self._is_old else "memory")

    def _apply(self, number: int, records: bytes, now: float) -> None:
        if self._coming is not None:
            self._held.append((number, records))
            return
        if number <= self._replica.number:
            return
        if self._ahead_s:
            records = pack_users(self._as_here(users_in(records)))
        if self._replica.apply(number, records):
            self._copy.put(number, users_in(records))
        else:
            self._begin(now)

    def _as_here(self, users: dict[str, list[Binding]]) -> dict[str, list[Binding]]:
        if not self._ahead_s:
            return users
        return {user: [each.moved(-self._ahead_s) for each in found] for user, found in users.items()}

    def _begin(self, now: float) -> None:
        self._coming, self._after, self._held = Coming(), "", []
        self._ask_next(now)

    def _is_stale(self, page: Page) -> bool:
        """Whether it answers a question of an earlier round: what changed since is not among what is held."""
        return bool(self._after) and self._coming is not None and page.number < self._coming.number

    def _ask_next(self, now: float) -> None:
        self._ask(self._after)
        self._ask_at = now + ASK_AGAIN_S

    def _finish(self, coming: Coming, now: float) -> None:
        self._replica.adopt(coming.number, coming.users)
        self._copy.settle(coming.number, coming.users.__contains__)
        self.snapshots += 1
        self._is_old = False
        held, self._held, self._coming, self._ask_at = self._held, [], None, None
        for number, records in held:
            self._apply(number, records, now)


class Silence:
    """How long nothing has been heard from the registrar."""

    def __init__(self) -> None:
        self.since = 0.0

    def heard(self, now: float) -> None:
        """Something was."""
        self.since = now

    def lasts_s(self, now: float) -> float:
        """Since when."""
        return now - self.since

    def notes(self, now: float, source: str) -> list[str]:
        """What people are to know; `source` is where the bindings come from."""
        silent_s = self.lasts_s(now)
        if silent_s < SILENT_S:
            return []
        return [f"nothing heard from the registrar for {silent_s:.0f} s; bindings are those of {source}"]
