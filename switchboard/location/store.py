"""What the registrar needs of a store of bindings; it owns the store, nobody else writes to it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from switchboard.location.binding import Binding
from switchboard.unusable import UnusableFile

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
        records = [[user, [binding.to_wire() for binding in found]] for user, found in self.users.items()]
        return [self.number, records]


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
