"""All users with their bindings, packed: what the registrar holds, and what each router has a copy of.

A *record* is a user with all its bindings as the codec packs it, `[user, [binding, …]]` (docs/BUS.md,
location.changed); records travel in packed lists. Packed bindings take a quarter of the memory of objects, for some
microseconds a look.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

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


class UserTableInPython:
    """Users by name. A user without bindings is known all the same.

    `octets`: of all that is packed, names included. `bound`, `bindings`: how many users have bindings, and how many.
    """

    def __init__(self) -> None:
        self.octets = self.bound = self.bindings = 0
        self._users: dict[str, _User] = {}
        self._before: list[tuple[str, _User | None]] | None = None

    def __len__(self) -> int:
        return len(self._users)

    def __contains__(self, user: str) -> bool:
        return user in self._users

    def take(self, records: bytes, start: int = 0, row: int = 0) -> list[str]:
        """Take the packed list of records that begins there and ends the octets; each user's last one counts.

        Returns whose they are. CodecError if it is no such list; then some may have been taken.
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
            self._count(user, self._users.pop(user), -1)
            if found:
                self._users[user] = found
                self._count(user, found, 1)

    def get(self, user: str) -> bytes | None:
        """The packed list of the user's bindings, expired ones included; None: nobody of this name is known."""
        found = self._users.get(user)
        return found.packed if found else None

    def row(self, user: str) -> int:
        """The row with which the user's record came; -1 for nobody."""
        found = self._users.get(user)
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
        return list(self._users)

    def expired(self, now_at: float) -> list[str]:
        """Who has a binding that is no longer valid. `now_at`: epoch seconds."""
        return [user for user, found in self._users.items() if found.until <= now_at]

    def _set(self, user: str, bindings: list[Any], row: int) -> None:
        before = self._users.get(user)
        if self._before is not None:
            self._before.append((user, before))
        if before:
            self._count(user, before, -1)
        until = min((binding[EXPIRES_AT] for binding in bindings), default=math.inf)
        now = self._users[user] = _User(pack(bindings), len(bindings), until, row)
        self._count(user, now, 1)

    def _count(self, user: str, found: _User, sign: int) -> None:
        self.octets += sign * (len(user.encode("utf-8", "surrogateescape")) + len(found.packed))
        self.bound += sign * (found.bindings > 0)
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
