"""The interface between the registrar and a store of bindings. Only the registrar writes to it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from switchboard.codec import CodecError, list_head, pack, unpack_first
from switchboard.registrar.binding import Binding
from switchboard.registrar.user_table import pack_records
from switchboard.storage.unusable import UnusableFile
from switchboard.storage.writing import Writing

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


class Store(Protocol):
    """Bindings by user. `now_at`: epoch seconds."""

    number: int
    """The last change's."""
    writing: Writing
    """Whether anything can be changed."""

    def batch(self) -> AbstractContextManager[Change]:
        """Gather writes: durable when the context ends, undone if it ends by an exception, as by NotWritten."""

    def put(self, user: str, bindings: Sequence[Binding]) -> None:
        """Let `user` have exactly these bindings. Only within a batch. NotWritten: nothing can be changed now."""

    def bindings(self, user: str) -> list[Binding]:
        """The bindings of `user` in the order in which they were put, expired ones included."""

    def expired_users(self, now_at: float, at_most: int) -> tuple[list[str], bool]:
        """The next users, about `at_most`, who have a binding that is no longer valid; whether to ask again at once."""

    def snapshot(self) -> Snapshot:
        """All there is."""

    def page(self, after: str, at_most: int) -> Page:
        """The next `at_most` users after the name `after` ("": from the first)."""
