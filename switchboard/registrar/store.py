"""The interface between the registrar and a store of bindings. Only the registrar writes to it."""

from collections.abc import Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from switchboard.codec import CodecError, list_head, pack, unpack_first
from switchboard.registrar.binding import Binding
from switchboard.registrar.user_table import UserTable, pack_records
from switchboard.storage.unusable import NotWritten, UnusableFile
from switchboard.storage.writing import Writing

NUMBERS: Final = 1 << 48
"""The changes of registrar N are numbered from N * NUMBERS on: a number tells whose change it is."""


def registrar_of(number: int) -> int:
    """Whose change has this number."""
    return number // NUMBERS


Snapshot = tuple[int, dict[str, list[Binding]]]
"""The number of the last change, and all users who have bindings, with these."""


class StoreError(UnusableFile):
    """The store cannot be used; the text tells people why and what to do."""


@dataclass(slots=True)
class Change:
    """What one batch changed: a record for each user that was put, with its bindings then. None: no change."""

    number: int = 0
    """Counts the changes without a gap; known once the batch is durable."""
    records: list[bytes] = field(default_factory=list)

    def pack(self) -> bytes:
        """The body of `location.changed`, packed."""
        return list_head(2) + pack(self.number) + pack_records(self.records)

    @staticmethod
    def split(body: bytes, start: int = 0) -> tuple[int, int]:
        """The number in what `pack` returned, and where the packed list of records starts. CodecError."""
        number, records_at = unpack_first(body, start + 1)
        if body[start : start + 1] != list_head(2) or not isinstance(number, int):
            raise CodecError("no change")
        return number, records_at


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the store: the `users` whose names follow `after`, in order, and whether more follow."""

    number: int
    """The last change's, when the page was read."""
    after: str
    users: dict[str, list[Binding]]
    more: bool

    def to_wire(self) -> list[Any]:
        """An item of `location.page`."""
        records = [[user, [each.to_wire() for each in found]] for user, found in self.users.items()]
        return [self.number, self.after, records, self.more]

    @classmethod
    def from_wire(cls, item: Sequence[Any]) -> "Page":
        """The page of what `to_wire` returned in another process (trusted)."""
        number, after, records, more = item
        users = {user: [Binding.from_wire(each) for each in bindings] for user, bindings in records}
        return cls(number, after, users, more)


class Conflict(NotWritten):
    """Others were faster: of this batch, the puts of `users` have not happened, and all others have.

    What the others have made of these users is in the store now. So whoever puts them again is right.
    """

    def __init__(self, users: Set[str]) -> None:
        super().__init__("other registrars have changed the same bindings: try again")
        self.users = users


class Late(NotWritten):
    """It is not known yet whether the changes of a batch happen, and nobody waits for it (`Store.go_on` finds out).

    `is_known`; then `users`: the puts of these have not happened, all others have; None: all is to be repeated.
    """

    def __init__(self) -> None:
        super().__init__("the location has not answered yet")
        self.is_known = False
        self.users: Set[str] | None = None

    def tell(self, users: Set[str] | None) -> None:
        """It is known now."""
        self.is_known, self.users = True, users


class Store(Protocol):
    """Bindings by user, all of them in memory. `now_at`: epoch seconds.

    A store may be shared with registrars elsewhere. Then it changes by itself, in `go_on`; what has changed outside of
    the caller's own batches waits in `take_changes`, and comes before what the next batch changes.
    """

    table: UserTable
    number: int
    """The last change's."""
    series: str
    """Tells this store from one that takes its place."""
    writing: Writing
    """Whether anything can be changed."""

    def batch(self) -> AbstractContextManager[Change]:
        """Gather writes: durable when the context ends, undone if it ends by an exception, as by NotWritten.

        Conflict: some of them have not happened. Late: that is not known yet.
        """

    def expiring(self) -> AbstractContextManager[Change]:
        """The same for puts that leave out what has expired, which others see for themselves."""

    def put(self, user: str, bindings: Sequence[Binding]) -> None:
        """Let `user` have exactly these bindings. Only within a batch. NotWritten: nothing can be changed now."""

    @property
    def records(self) -> list[bytes]:
        """Those of the batch: who adds one lets `table` take it, with the row `number` + 1."""

    def bindings(self, user: str) -> list[Binding]:
        """The bindings of `user` in the order in which they were put, expired ones included."""

    def expired_users(self, now_at: float, at_most: int) -> tuple[list[str], bool]:
        """The next users, about `at_most`, who have a binding that is no longer valid; whether to ask again at once."""

    def snapshot(self) -> Snapshot:
        """All there is."""

    def page(self, after: str, at_most: int) -> Page:
        """The next `at_most` users after the name `after` ("": from the first)."""

    def count(self) -> tuple[int, int]:
        """How many users are registered, and with how many bindings, expired ones included."""

    def keep_nonces(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Keep how often nonces were used, by identity; None: forget it. Only within a batch."""

    def nonces(self) -> list[tuple[bytes, bytes]]:
        """What was kept of nonces, by identity; the oldest first."""

    def try_again(self) -> bool:
        """Whether it can be written again, which could not be. StoreError if it is another one by now."""

    @property
    def fd(self) -> int | None:
        """Readable when others have changed something, or when it can be written again; None: there are no others."""

    @property
    def is_waiting(self) -> bool:
        """Whether `go_on` has something to do."""

    def go_on(self) -> None:
        """Take over the next of what others have changed, some hundred users at most. Not within a batch."""

    def give_up(self) -> None:
        """What is Late has been waited for long enough: nothing can be changed for now."""

    def take_changes(self) -> list[Change]:
        """What has changed outside of the caller's batches, in order."""

    def stats(self) -> dict[str, float]:
        """Counters, besides `count`."""

    def close(self) -> None:
        """Let go of it."""
