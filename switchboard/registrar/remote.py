"""The interface to a location that several registrars share, on a server that others run (Redis; docs/LOCATION.md).

Theory. A location keeps for each user a *record* and its *version*. Whoever changes a user says which version the
change is based on, and it happens only if that is still the last one. So the rules of RFC 3261 §10.3 are right
whichever registrar applies them: it applies them again to the record that it did not know. Versions grow with the
server's time. So of two records of a user the one with the higher version is the later one, even if the server has
lost changes since. A user without bindings has a record, too, for as long as anybody may believe in bindings of his.

Each change is also an *entry* in the location's log, which every registrar follows from the entry that it read last.
If that entry is no longer there, the log was cut, or the server has lost it: the follower reads everything anew.

Instants in records are those of the server's clock; each registrar converts them (`Remote.ahead_s`).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from switchboard.storage.unusable import RemoteError

__all__ = ["ABSENT", "Answer", "Followed", "Kept", "Outcome", "Put", "Remote", "RemoteError"]

ABSENT: Final = 0
"""The version of a user of whom the location knows nothing."""


class Put(NamedTuple):
    """`user` is to have this `record`, if `version` is the last one; it is of no use after `left_s`."""

    user: str
    version: int
    record: bytes
    left_s: float


class Kept(NamedTuple):
    """What the location has of `user`. `record`: untrusted octets; b"" if it is ABSENT."""

    user: str
    version: int
    record: bytes


class Outcome(NamedTuple):
    """What became of a `Put`: `kept` is in the location now. `is_done`: it is what was put."""

    is_done: bool
    kept: Kept


Answer = list[Outcome] | Callable[[], list[Outcome]]
"""What became of puts, or who waits for it, which another thread may do. RemoteError."""


class Followed(NamedTuple):
    """The changes since the last look; `is_lost`: some are missing."""

    changes: Sequence[Kept]
    is_lost: bool = False


class Remote(Protocol):
    """One connection to a location, for one thread. Whatever fails raises RemoteError, within some seconds."""

    ahead_s: float
    """By how much the server's clock was ahead of ours at the last call."""
    foreign: int
    """Records and keys in our space that were none of ours."""

    def check(self) -> None:
        """See whether it can be written."""

    def put(self, puts: Sequence[Put]) -> list[Outcome]:
        """Try these changes, of different users; durable as far as the server promises it. In their order."""

    def ask(self, puts: Sequence[Put], within_s: float) -> Answer:
        """The same, but wait no longer than this; before anything else is asked, the answer has been waited for."""

    def begin(self) -> None:
        """The place in the log from which `follow` goes on is now its end."""

    def load(self) -> Iterator[list[Kept]]:
        """All users, some at a time."""

    def follow(self) -> Followed:
        """What others have changed since; at most some hundred users."""

    def is_known(self) -> bool:
        """Whether `begin` has been called."""

    def doubts(self) -> list[tuple[str, str]]:
        """Why the server may lose registrations, or refuse them: what was found, and what to do; for people."""

    def close(self) -> None:
        """Let go of the connection."""
