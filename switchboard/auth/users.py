"""The users as a worker knows them: secrets by name, kept up to date by numbered changes (docs/BUS.md, users.*)."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from switchboard.auth.digest import MD5, SHA256, make_ha1
from switchboard.storage.unusable import NotWritten, UnusableFile


class Record(NamedTuple):
    """A user as the store has it: never the password. `number`: of the change that wrote it.

    `sha256`, `md5`: HA1 (RFC 7616 §3.4.2), hexadecimal, for `realm`; "" for a user who was removed.
    `changed_at`: epoch s.
    """

    number: int
    user: str
    realm: str
    sha256: str
    md5: str
    changed_at: float

    @property
    def is_removed(self) -> bool:
        return not self.sha256

    def ha1(self, algorithm: str) -> str:
        """The HA1 for one of ALGORITHMS."""
        return self.sha256 if algorithm == SHA256 else self.md5


class Page(NamedTuple):
    """What changed after the number `after` in the store `series`, oldest first, and whether `more` did.

    `series` tells one store from another that took its place.
    """

    series: str
    after: int
    records: Sequence[Record]
    more: bool

    @classmethod
    def from_wire(cls, item: Sequence[Any]) -> "Page":
        """The page of an item of `users.page` (trusted)."""
        series, after, records, more = item
        return cls(series, after, [Record(*record) for record in records], more)


class Entry(NamedTuple):
    """What is kept of a user's password: HA1 for `realm` by SHA-256 and by MD5."""

    user: str
    realm: str
    sha256: str
    md5: str


def make_entry(user: str, realm: str, password: str) -> Entry:
    """The entry for a password."""
    return Entry(user, realm, make_ha1(SHA256, user, realm, password), make_ha1(MD5, user, realm, password))


class Users:
    """The users of one realm, in memory."""

    def __init__(self, realm: str) -> None:
        self.realm = realm
        self.series = ""
        """Of the store that they are from; "": of none yet."""
        self.number = 0
        """The last change's that is in here."""
        self.foreign = 0
        """Users whose password was given for another realm, and is worth nothing in ours."""
        self._records: dict[str, Record] = {}

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, user: object) -> bool:
        return user in self._records

    @property
    def is_loaded(self) -> bool:
        """Whether a store was read: before, nobody can be said to be unknown."""
        return bool(self.series)

    def find(self, user: str) -> Record | None:
        """The user called so, None if there is none who has a password for our realm."""
        record = self._records.get(user)
        return record if record and record.realm == self.realm else None

    def apply(self, page: Page) -> bool:
        """Take what changed; False if it does not follow what is in here."""
        if page.after == 0:
            self._records.clear()
            self.number = self.foreign = 0
            self.series = page.series
        elif (page.series, page.after) != (self.series, self.number):
            return False
        self._take(page.records)
        return True

    def _take(self, records: Iterable[Record]) -> None:
        for record in records:
            if before := self._records.pop(record.user, None):
                self.foreign -= before.realm != self.realm
            if not record.is_removed:
                self._records[record.user] = record
                self.foreign += record.realm != self.realm
            self.number = record.number


class Follower(Protocol):
    """Keeps `Users` up to date."""

    failure: str
    """Why that cannot be done now, for people; "" if it can."""

    def start(self) -> None:
        """Read what is at hand."""

    def told(self, series: str, number: int) -> None:
        """The store is `series`, and `number` its last change's."""

    def take_page(self, item: list[Any]) -> None:
        """Take an item of `users.page`."""


class StoreFollower:
    """Reads the registrar's own store, which is on this host. `read`: what changed after a number.

    While that raises UnusableFile, what is known stays so, and it is tried again at the next number.
    """

    def __init__(self, users: Users, read: Callable[[int], Page | None]) -> None:
        self.failure = ""
        """Why the store cannot be read, for people; "" if it can."""
        self._users = users
        self._read = read

    def start(self) -> None:
        self._catch_up(0)

    def told(self, series: str, number: int) -> None:
        if series != self._users.series:
            self._catch_up(0)
        elif number != self._users.number:
            self._catch_up(self._users.number)

    def take_page(self, item: list[Any]) -> None:
        """Nobody was asked for one."""

    def _catch_up(self, after: int) -> None:
        self.failure = ""
        try:
            page = self._read(after)
            while page and self._users.apply(page) and page.more:
                page = self._read(self._users.number)
        except UnusableFile as error:
            self.failure = str(error)


class Copy(Protocol):
    """The users as last known, on the disk of a host that does not have the registrar."""

    def page(self, after: int, at_most: int) -> Page: ...
    def adopt(self, page: Page) -> None: ...


class PageFollower:
    """Asks the registrar, which is on another host; until it answers, a copy has to do.

    `ask` casts `users.wanted` for what changed after a number. The registrar tells its number every second,
    so what got no answer is asked again then.
    """

    def __init__(self, users: Users, copy: Copy, ask: Callable[[int], None]) -> None:
        self.failure = ""
        self._users = users
        self._copy = copy
        self._ask = ask

    def start(self) -> None:
        kept = self._copy.page(0, -1)
        if kept.records:
            self._users.apply(kept)

    def told(self, series: str, number: int) -> None:
        if series != self._users.series:
            self._ask(0)
        elif number != self._users.number:
            self._ask(self._users.number)

    def take_page(self, item: list[Any]) -> None:
        page = Page.from_wire(item)
        if not self._users.apply(page):
            return
        with suppress(NotWritten):  # it is asked for again at the next start
            self._copy.adopt(page)
        if page.more:
            self._ask(self._users.number)
