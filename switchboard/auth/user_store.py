"""The users on disk (SQLite): HA1 for each algorithm, never a password; for nobody else's eyes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from switchboard.auth.users import Entry, Record
from switchboard.storage import record_store
from switchboard.storage.record_store import RecordStore, Table
from switchboard.storage.records import NOTHING, Page
from switchboard.storage.rescue import Row
from switchboard.storage.unusable import UnusableFile


class UserStoreError(UnusableFile):
    """The store cannot be used; the text tells people why and what to do."""


def _user_in(row: Row) -> Sequence[Any] | None:
    """A row of `users`, whose key stands first on the disk."""
    match row:
        case None, [str(user), int(number), str(realm), str(sha256), str(md5), int() | float() as changed_at]:
            return number, user, realm, sha256, md5, float(changed_at)
    return None


USERS: Final = Table(
    "users",
    "they stay as they are",
    {
        "number": "INTEGER",
        "user": "TEXT",
        "realm": "TEXT",
        "sha256": "TEXT",
        "md5": "TEXT",
        "changed_at": "REAL",
    },
    "sha256",
    Record,
    UserStoreError,
    _user_in,
    "bring back who is missing: switchboard restore DIR users, or switchboard user add NAME",
)
SCHEMA: Final = USERS.schema


class UserStore(RecordStore[Record]):
    """The owner's end: the registrar's, or a command's while no registrar runs.

    A removed user stays as a name without secrets, so that routers learn of it.
    """

    table = USERS

    def put(self, entries: Sequence[Entry], now_at: float) -> int:
        """Let users have these secrets, durable when this returns; return how many are new. NotWritten."""
        before = self.write([Record(0, *entry, now_at) for entry in entries])
        return sum(not before.get(entry.user, NOTHING).is_there for entry in entries)

    def remove(self, user: str, now_at: float) -> bool:
        """Let nobody be `user`, durable when this returns; False if nobody was. NotWritten."""
        return self.remove_record(Record(0, user, "", "", "", now_at))

    def users(self) -> list[Record]:
        """All users, by name."""
        return self.all()


def read_page(path: Path, after: int, at_most: int) -> Page[Record] | None:
    """As `UserStore.page`, without disturbing the writer; None if there is no store yet."""
    return record_store.read_page(USERS, path, after, at_most)
