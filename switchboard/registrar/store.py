"""What the registrar needs of a store of bindings; it owns the store, nobody else writes to it."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from switchboard.registrar.binding import Binding
from switchboard.storage.unusable import UnusableFile

Snapshot = tuple[int, dict[str, list[Binding]]]
"""The number of the last change, and all users with their bindings (none: known, but not registered)."""


class StoreError(UnusableFile):
    """The store cannot be used; the text tells people why and what to do."""


@dataclass(slots=True)
class Change:
    """What one batch changed: each user's bindings after it. Without users there is no change."""

    number: int = 0
    """Counts the changes without a gap; known once the batch is durable."""
    users: dict[str, list[Binding]] = field(default_factory=dict)

    def to_wire(self) -> list[Any]:
        """The body of `location.changed`."""
        return [self.number, _to_records(self.users)]


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
        return [self.number, self.after, _to_records(self.users), self.more]

    @classmethod
    def from_wire(cls, item: Sequence[Any]) -> "Page":
        """The page of what `to_wire` returned in another process (trusted)."""
        number, after, records, more = item
        return cls(number, after, users_of(records), more)


def users_of(records: Iterable[Sequence[Any]]) -> dict[str, list[Binding]]:
    """The users of the records of `location.changed` or `location.page`."""
    return {user: [Binding.from_wire(each) for each in bindings] for user, bindings in records}


def _to_records(users: Mapping[str, Sequence[Binding]]) -> list[list[Any]]:
    return [[user, [binding.to_wire() for binding in found]] for user, found in users.items()]


class Store(Protocol):
    """Bindings by user. `now_at`: epoch seconds."""

    number: int
    """The last change's."""

    def batch(self) -> AbstractContextManager[Change]:
        """Gather writes: durable when the context ends, undone if it ends by an exception."""

    def put(self, user: str, bindings: Sequence[Binding]) -> None:
        """Let `user` have exactly these bindings. Only within a batch."""

    def bindings(self, user: str) -> list[Binding]:
        """The bindings of `user` in the order in which they were put, expired ones included."""

    def expired_users(self, now_at: float) -> list[str]:
        """The users who have a binding that is no longer valid."""

    def snapshot(self) -> Snapshot:
        """All there is."""

    def page(self, after: str, at_most: int) -> Page:
        """The next `at_most` users after the name `after` ("": from the first)."""
