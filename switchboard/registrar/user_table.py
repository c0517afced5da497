"""The table of all users with their bindings, packed: the registrar's data, of which each router has a copy.

A *record* is a user with all its bindings as the codec packs it, `[user, [binding, …]]` (docs/BUS.md,
location.changed); records travel in packed lists. Packed bindings need a quarter of the memory of objects. A look-up
has to unpack them, which costs some microseconds.

Theory. Users are in a fixed number of buckets by the hash of their name. So a walk over all users has a position
(the bucket) that stays valid while users come and go, and can be done in slices: for a listing, and for the expiry.
The expiry looks through the buckets for bindings that have ended. `_earliest` is a lower bound of all ends, so that
the walk starts only when a binding may have ended.

A change can be undone until it is durable: between `begin` and `keep` the table notes the former entry of each user
that is set, and `undo` restores them in reverse order.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from switchboard.bounded import Generations
from switchboard.codec import CodecError, list_head, pack, unpack
from switchboard.registrar.binding import Binding

EXPIRES_AT = 2
"""Where a binding on the bus has its end."""


class _User(NamedTuple):
    """`until`: when the first of its bindings ends. `row`: where its record is kept on the disk."""

    packed: bytes
    bindings: int
    until: float
    row: int


MOST_UNBOUND: Final = 10_000
"""The minimum of users without bindings that are remembered; the latest ones."""
LOOKS_A_NAME: Final = 40
"""An expiry looks at this number of users for each user that it may return: to look is cheap, to remove is not."""
_BUCKETS = 1024


class UserTableInPython:
    """Users with bindings, by name. A user without bindings is removed, but `was_bound` remembers it for a while.

    `octets`: of all that is packed, names included. `bindings`: how many there are. Users have *positions* from 0,
    at which a walk over all of them can go on after others were set.
    """

    def __init__(self) -> None:
        self.octets = self.bindings = 0
        self._count_of_users = 0
        self._buckets: list[dict[str, _User]] = [{} for _ in range(_BUCKETS)]
        self._before: list[tuple[str, _User | None]] | None = None
        self._unbound: Generations[str, bool] = Generations(MOST_UNBOUND)
        self._earliest = (
            math.inf
        )  # no binding ends before, but those of users that the expiry has still to look at
        self._expiry_at = 0

    def __len__(self) -> int:
        return self._count_of_users

    def __contains__(self, user: str) -> bool:
        return user in self._bucket(user)

    def was_bound(self, user: str) -> bool:
        """Whether the user lost its last binding a while ago, or less."""
        return user in self._unbound

    def take(self, records: bytes, start: int = 0, row: int = 0) -> list[str]:
        """Take the packed list of records that begins there and ends the octets; each user's last one counts.

        Returns their users. CodecError if it is not such a list; then some may have been taken.
        """
        taken = []
        for user, bindings in _records(records[start:] if start else records):
            self._set(user, bindings, row)
            taken.append(user)
        return taken

    def begin(self) -> None:
        """From now on `undo` can take back what is set, until `keep`."""
        self._before = []

    def keep(self) -> None:
        """What was set since `begin` stays."""
        self._before = None

    def undo(self) -> None:
        """All is as it was at `begin`."""
        before, self._before = self._before or [], None
        for user, found in reversed(before):
            self._replace(user, found)

    def get(self, user: str) -> bytes | None:
        """The packed list of the user's bindings, expired ones included; None if there are none."""
        found = self._bucket(user).get(user)
        return found.packed if found else None

    def row(self, user: str) -> int:
        """The row with which the user's record came; -1 for nobody."""
        found = self._bucket(user).get(user)
        return found.row if found else -1

    def in_force(self, records: bytes, row: int) -> list[bytes]:
        """Those records of a packed list that came with this row and are still their users' last."""
        return [
            pack_record(user, bindings)
            for user, bindings in users_in(records).items()
            if self.row(user) == row
        ]

    def users(self) -> list[str]:
        """All names, in no order."""
        return [user for bucket in self._buckets for user in bucket]

    def some(self, at: int, at_most: int) -> tuple[list[str], int]:
        """The names of about `at_most` users from the position `at` on, and where the next is; 0: that was all."""
        names: list[str] = []
        while at < _BUCKETS and len(names) < at_most:
            names += self._buckets[at]
            at += 1
        return names, at if at < _BUCKETS else 0

    def expired(self, now_at: float, at_most: int) -> tuple[list[str], bool]:
        """The next users with a binding that is no longer valid, and whether to ask again at once.

        About `at_most` names, after a look at about LOOKS_A_NAME times as many users. `now_at`: epoch seconds.
        """
        names: list[str] = []
        if self._expiry_at == 0:
            if now_at < self._earliest:
                return names, False
            self._earliest = math.inf
        looks = 0
        while self._expiry_at < _BUCKETS and len(names) < at_most and looks < LOOKS_A_NAME * at_most:
            bucket = self._buckets[self._expiry_at]
            self._earliest = min(self._earliest, *(found.until for found in bucket.values()), math.inf)
            names += [user for user, found in bucket.items() if found.until <= now_at]
            looks += 1 + len(bucket)
            self._expiry_at += 1
        self._expiry_at %= _BUCKETS
        return names, self._expiry_at > 0

    def _bucket(self, user: str) -> dict[str, _User]:
        return self._buckets[hash(user) % _BUCKETS]

    def _set(self, user: str, bindings: list[Any], row: int) -> None:
        if self._before is not None:
            self._before.append((user, self._bucket(user).get(user)))
        if bindings:
            until = min(binding[EXPIRES_AT] for binding in bindings)
            self._replace(user, _User(pack(bindings), len(bindings), until, row))
        else:
            self._replace(user, None)
            self._unbound.put(user, True)

    def _replace(self, user: str, found: _User | None) -> None:
        bucket = self._bucket(user)
        if before := bucket.pop(user, None):
            self._count(user, before, -1)
        if found:
            bucket[user] = found
            self._count(user, found, 1)
            self._earliest = min(self._earliest, found.until)

    def _count(self, user: str, found: _User, sign: int) -> None:
        self.octets += sign * (len(user.encode("utf-8", "surrogateescape")) + len(found.packed))
        self._count_of_users += sign
        self.bindings += sign * found.bindings


try:
    from switchboard._native.registrar import UserTable as UserTable
except ImportError:
    UserTable = UserTableInPython  # type: ignore[assignment, misc]


def pack_record(user: str, bindings: Iterable[Binding]) -> bytes:
    """The record of a user."""
    return pack([user, [binding.to_wire() for binding in bindings]])


def pack_records(records: Sequence[bytes]) -> bytes:
    """The packed list of records."""
    return b"".join((list_head(len(records)), *records))


def pack_users(users: Mapping[str, Sequence[Binding]]) -> bytes:
    """The packed list of the records of some users."""
    return pack_records([pack_record(user, bindings) for user, bindings in users.items()])


def bindings_in(packed: bytes | None) -> list[Binding]:
    """The bindings of what `UserTable.get` returned."""
    return [Binding.from_wire(each) for each in unpack(packed)] if packed else []


def users_in(records: bytes) -> dict[str, list[Binding]]:
    """The users of a packed list of records (trusted); of several records of one the last counts."""
    return {user: [Binding.from_wire(each) for each in bindings] for user, bindings in unpack(records)}


def _records(octets: bytes) -> Iterator[tuple[str, list[Any]]]:
    records = unpack(octets)
    if not isinstance(records, list):
        raise CodecError("no list of records")
    for record in records:
        match record:
            case [str(user), list(bindings)] if all(map(_is_binding, bindings)):
                yield user, bindings
            case _:
                raise CodecError("no record")


def _is_binding(found: Any) -> bool:
    return isinstance(found, list) and len(found) > EXPIRES_AT and isinstance(found[EXPIRES_AT], (int, float))
