"""The users as a worker knows them: secrets by name, kept up to date by numbered changes (docs/BUS.md, users.*)."""

from collections.abc import Iterable
from typing import NamedTuple

from switchboard.auth.digest import MD5, SHA256, make_ha1
from switchboard.storage.records import Page


class Record(NamedTuple):
    """A user as the store has it: never the password. `number`: of the change that wrote it.

    `sha256`, `md5`: HA1 (RFC 7616 §3.4.2), hexadecimal, for `realm`; "" for a user who was removed.
    `changed_at`: epoch s.
    """

    number: int
    user: str
    realm: str
    sha256: str
    md5: str
    changed_at: float

    @property
    def key(self) -> str:
        return self.user

    @property
    def is_removed(self) -> bool:
        return not self.sha256

    def ha1(self, algorithm: str) -> str:
        """The HA1 for one of ALGORITHMS."""
        return self.sha256 if algorithm == SHA256 else self.md5


class Entry(NamedTuple):
    """What is kept of a user's password: HA1 for `realm` by SHA-256 and by MD5."""

    user: str
    realm: str
    sha256: str
    md5: str


def make_entry(user: str, realm: str, password: str) -> Entry:
    """The entry for a password."""
    return Entry(user, realm, make_ha1(SHA256, user, realm, password), make_ha1(MD5, user, realm, password))


class Users:
    """The users of one realm, in memory."""

    def __init__(self, realm: str) -> None:
        self.realm = realm
        self.series = ""
        """Of the store that they are from; "": of none yet."""
        self.number = 0
        """The last change's that is in here."""
        self.foreign = 0
        """Users whose password was given for another realm, and is worth nothing in ours."""
        self._records: dict[str, Record] = {}

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, user: object) -> bool:
        return user in self._records

    @property
    def is_loaded(self) -> bool:
        """Whether a store was read: before, nobody can be said to be unknown."""
        return bool(self.series)

    def find(self, user: str) -> Record | None:
        """The user called so, None if there is none who has a password for our realm."""
        record = self._records.get(user)
        return record if record and record.realm == self.realm else None

    def apply(self, page: Page[Record]) -> bool:
        """Take what changed; False if it does not follow what is in here."""
        if page.after == 0:
            self._records.clear()
            self.number = self.foreign = 0
            self.series = page.series
        elif (page.series, page.after) != (self.series, self.number):
            return False
        self._take(page.records)
        return True

    def _take(self, records: Iterable[Record]) -> None:
        for record in records:
            if before := self._records.pop(record.user, None):
                self.foreign -= before.realm != self.realm
            if not record.is_removed:
                self._records[record.user] = record
                self.foreign += record.realm != self.realm
            self.number = record.number
