"""Records that one process owns and others have a copy of, kept up to date by numbered changes (docs/BUS.md).

Theory. Each change of a record has a number, which grows. Who has all up to a number asks for what is above, page by
page. A store has a *series*, which tells it from another one that took its place: then all is read anew. A record that
was removed stays as a name, so that those who have a copy learn of it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from switchboard.storage.unusable import NotWritten, UnusableFile

A_PAGE: Final = 500
A_READING: Final = 20_000
"""Records of a store on this host; each reading opens it anew."""


class Numbered(Protocol):
    """A record: a tuple of its number, its key, its content, and when it was changed (epoch s)."""

    @property
    def number(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def changed_at(self) -> float: ...
    @property
    def is_removed(self) -> bool: ...
    def __iter__(self) -> Iterator[Any]: ...


R = TypeVar("R", bound=Numbered)


class Page(NamedTuple, Generic[R]):
    """What changed after the number `after` in the store `series`, oldest first, and whether `more` did."""

    series: str
    after: int
    records: Sequence[R]
    more: bool

    def to_wire(self) -> list[Any]:
        """An item of a cast."""
        return [self.series, self.after, [list(record) for record in self.records], self.more]


def page_from_wire(item: Sequence[Any], make: Callable[..., R]) -> Page[R]:
    """The page of an item (trusted)."""
    series, after, records, more = item
    return Page(series, after, [make(*record) for record in records], more)


class Was(NamedTuple):
    """What a record was before a change."""

    changed_at: float
    is_there: bool


NOTHING: Final = Was(0.0, False)


class Replica(Protocol[R]):
    """What is known of a store, in memory. `series` "": none was read yet; `number`: the last change's."""

    @property
    def series(self) -> str: ...
    @property
    def number(self) -> int: ...

    def apply(self, page: Page[R]) -> bool:
        """Take what changed; False if it does not follow what is in here."""


class Follower(Protocol):
    """Keeps a replica up to date."""

    failure: str
    """Why that cannot be done now, for people; "" if it can."""

    def start(self) -> None:
        """Read what is at hand."""

    def told(self, series: str, number: int) -> None:
        """The store is `series`, and `number` its last change's."""

    def take_page(self, item: list[Any]) -> None:
        """Take an item of a page's cast."""


class StoreFollower(Generic[R]):
    """Reads the owner's own store, which is on this host. `read`: what changed after a number.

    While that raises UnusableFile, what is known stays so, and it is tried again at the next number.
    """

    def __init__(self, replica: Replica[R], read: Callable[[int], Page[R] | None]) -> None:
        self.failure = ""
        """Why the store cannot be read, for people; "" if it can."""
        self._replica = replica
        self._read = read

    def start(self) -> None:
        self._catch_up(0)

    def told(self, series: str, number: int) -> None:
        if series != self._replica.series:
            self._catch_up(0)
        elif number != self._replica.number:
            self._catch_up(self._replica.number)

    def take_page(self, item: list[Any]) -> None:
        """Nobody was asked for one."""

    def _catch_up(self, after: int) -> None:
        self.failure = ""
        try:
            page = self._read(after)
            while page and self._replica.apply(page) and page.more:
                page = self._read(self._replica.number)
        except UnusableFile as error:
            self.failure = str(error)


class Copy(Protocol[R]):
    """The records as last known, on the disk of a host that does not have the owner."""

    def page(self, after: int, at_most: int) -> Page[R]: ...
    def adopt(self, page: Page[R]) -> None: ...
    def make(self, *values: Any) -> R: ...


class PageFollower(Generic[R]):
    """Asks the owner, which is on another host; until it answers, a copy has to do.

    `ask` casts for what changed after a number. The owner tells its number every second, so what got no answer is
    asked again then.
    """

    def __init__(self, replica: Replica[R], copy: Copy[R], ask: Callable[[int], None]) -> None:
        self.failure = ""
        self._replica = replica
        self._copy = copy
        self._ask = ask

    def start(self) -> None:
        kept = self._copy.page(0, -1)
        if kept.records:
            self._replica.apply(kept)

    def told(self, series: str, number: int) -> None:
        if series != self._replica.series:
            self._ask(0)
        elif number != self._replica.number:
            self._ask(self._replica.number)

    def take_page(self, item: list[Any]) -> None:
        page = page_from_wire(item, self._copy.make)
        if not self._replica.apply(page):
            return
        with suppress(NotWritten):  # it is asked for again at the next start
            self._copy.adopt(page)
        if page.more:
            self._ask(self._replica.number)
