"""Copies registrations from one location to another, while registrars go on with either (`switchboard migrate`).

Theory. Of two records of a user the later one stays: by their versions, which grow with time, or where one side is a
file, which keeps none, by the end of the last binding. A target on a server is changed under the condition that it is
still what was compared, so a REGISTER that comes meanwhile stays. Ends are converted from one server's clock to the
other's. So it may be run again at any time: it copies what has become later since, and nothing else.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from switchboard.codec import CodecError
from switchboard.registrar.binding import Binding
from switchboard.registrar.link import ALIKE_S
from switchboard.registrar.remote import ABSENT, Kept, Put, Remote
from switchboard.registrar.sqlite import SqliteStore
from switchboard.registrar.user_table import UserTable, pack_record, pack_records, users_in

USERS_AT_ONCE: Final = 64
SAME_S: Final = 2.0
"""Ends that differ by less are the same: clocks are compared over a network."""


class Known(NamedTuple):
    """What a location has of a user, by our clock. `version`: 0 in a file."""

    user: str
    version: int
    bindings: Sequence[Binding]

    @property
    def until(self) -> float:
        """Epoch s; 0.0 without bindings."""
        return max((each.expires_at for each in self.bindings), default=0.0)

    def is_later_than(self, other: "Known") -> bool:
        """Whether this one stays."""
        if self.version and other.version:
            return self.version > other.version
        return self.until > other.until

    def is_same_as(self, other: "Known") -> bool:
        """Whether both say the same."""
        return len(self.bindings) == len(other.bindings) and all(
            one._replace(expires_at=0.0) == two._replace(expires_at=0.0)
            and abs(one.expires_at - two.expires_at) < SAME_S
            for one, two in zip(self.bindings, other.bindings, strict=True)
        )


class Copied(NamedTuple):
    """Of how many users' records what became; `there`: the target has them, or later ones, or needs none."""

    read: int = 0
    copied: int = 0
    there: int = 0
    damaged: int = 0

    def __add__(self, other: "Copied") -> "Copied":  # type: ignore[override]
        return Copied(*map(sum, zip(self, other, strict=True)))


def from_remote(remote: Remote) -> tuple[list[Known], int]:
    """All that a server has, and how many records were none. RemoteError."""
    remote.check()
    remote.begin()
    pages = list(remote.load())
    ahead_s = _ahead_of(remote)
    found = [known_of(kept, ahead_s) for page in pages for kept in page]
    return [each for each in found if each], found.count(None)


def known_of(kept: Kept, ahead_s: float) -> Known | None:
    """None for octets that are no record of this user. `ahead_s`: of the clock by which they count."""
    try:
        records = pack_records([kept.record])
        if UserTable().take(records) != [kept.user]:
            return None
        [bindings] = users_in(records).values()
    except (CodecError, TypeError, ValueError):
        return None
    return Known(kept.user, kept.version, [each.moved(-ahead_s) for each in bindings])


def into_remote(users: Sequence[Known], remote: Remote, now_at: float) -> Iterator[Copied]:
    """Put what is later, USERS_AT_ONCE at a time. RemoteError."""
    for at in range(0, len(users), USERS_AT_ONCE):
        yield _put(users[at : at + USERS_AT_ONCE], remote, now_at)


def into_file(users: Sequence[Known], store: SqliteStore, now_at: float) -> Iterator[Copied]:
    """The same for a file that no registrar uses. NotWritten."""
    for at in range(0, len(users), USERS_AT_ONCE):
        part = users[at : at + USERS_AT_ONCE]
        with store.batch():
            later = [
                each
                for each in part
                if _is_wanted(each, Known(each.user, 0, store.bindings(each.user)), now_at)
            ]
            for each in later:
                store.put(each.user, each.bindings)
        yield Copied(len(part), len(later), len(part) - len(later))


def _is_wanted(known: Known, there: Known, now_at: float) -> bool:
    return known.until > now_at and known.is_later_than(there) and not known.is_same_as(there)


def _put(part: Sequence[Known], remote: Remote, now_at: float) -> Copied:
    ahead_s = _ahead_of(remote)
    wanted = {each.user: each for each in part if each.until > now_at or each.version}
    first = remote.put([_put_of(each, ABSENT, ahead_s, now_at) for each in wanted.values()])
    again = [
        _put_of(wanted[kept.user], kept.version, ahead_s, now_at)
        for is_done, kept in first
        if not is_done and _is_news(wanted[kept.user], kept, ahead_s)
    ]
    copied = sum(each.is_done for each in first) + sum(
        each.is_done for each in (remote.put(again) if again else [])
    )
    return Copied(len(part), copied, len(part) - copied)


def _is_news(known: Known, kept: Kept, ahead_s: float) -> bool:
    """What is there and no record is written over, as by a REGISTER."""
    there = known_of(kept, ahead_s)
    return there is None or (known.is_later_than(there) and not known.is_same_as(there))


def _put_of(known: Known, version: int, ahead_s: float, now_at: float) -> Put:
    record = pack_record(known.user, [each.moved(ahead_s) for each in known.bindings])
    return Put(known.user, version, record, max(0.0, known.until - now_at))


def _ahead_of(remote: Remote) -> float:
    return remote.ahead_s if abs(remote.ahead_s) >= ALIKE_S else 0.0
