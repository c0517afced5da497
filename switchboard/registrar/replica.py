"""A router's copy of the bindings: a snapshot of the store, kept up to date by numbered changes.

Theory. Changes are numbered without gaps, and each has all bindings of its users. A router that misses a number, or
starts, reads a new snapshot; the snapshot has the number of its last change. Changes with a higher number are
applied on top of it. A change that the snapshot already contains does no harm.
"""

from collections.abc import Callable, Iterable

from switchboard.core.domains import canonical_host
from switchboard.core.place import address_named
from switchboard.registrar.binding import Binding
from switchboard.registrar.store import Snapshot
from switchboard.registrar.user_table import (
    UserTable,
    bindings_in,
    pack_record,
    pack_records,
    pack_users,
    users_in,
)
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import format_hop
from switchboard.sip.uri import SipUri

HopKey = tuple[str, str, int]


class Replica:
    """Answers a router's questions about users from memory. `now_at`: epoch seconds."""

    def __init__(self) -> None:
        self.is_loaded = False
        """Whether there has been a snapshot: before, nobody can be said to be unknown."""
        self.number = 0
        """Of the last change that is in here."""
        self.tell: Callable[[Iterable[str] | None], None] = _tell_nobody
        """Is told whose bindings have changed; None: of all."""
        self._users = UserTable()
        self._contacts: dict[HopKey, set[str]] | None = None  # users by contact, once somebody has asked

    def load(self, snapshot: Snapshot) -> None:
        """Forget everything and hold `snapshot`."""
        number, users = snapshot
        table = UserTable()
        table.take(pack_users(users))
        self.adopt(number, table)

    def adopt(self, number: int, users: UserTable) -> None:
        """Forget everything and hold these users, as of that change."""
        self.is_loaded, self.number = True, number
        self._users, self._contacts = users, None
        self.tell(None)

    def apply(self, number: int, records: bytes, start: int = 0) -> bool:
        """Take one `location.changed`, whose packed list of records starts there.

        False: changes are missing before it, a snapshot is needed. One that the snapshot already held changes nothing.
        """
        if number <= self.number:
            return True
        if number != self.number + 1:
            return False
        taken = records[start:] if start else records
        users = self._take(taken)
        self.number = number
        self.tell(users)
        return True

    def anticipate(self, records: bytes, start: int) -> list[str]:
        """Take what another registrar has changed, before the one that is followed tells it; whose bindings differ.

        Clocks of hosts may differ, and so may the ends of bindings: these alone are no difference.
        """
        taken = users_in(records[start:])
        changed = [
            pack_record(user, found)
            for user, found in taken.items()
            if _without_ends(self._bindings(user)) != _without_ends(found)
        ]
        if not changed:
            return []
        users = self._take(pack_records(changed))
        self.tell(users)
        return users

    def _take(self, records: bytes) -> list[str]:
        return self._users.take(records) if self._contacts is None else self._take_indexed(records)

    def lookup(self, user: str, now_at: float) -> list[Binding]:
        """The valid bindings of `user` with SIP contacts, best q first, else as last refreshed."""
        valid = [
            binding for binding in self._bindings(user) if binding.expires_at > now_at and binding.contact_uri
        ]
        return valid if len(valid) < 2 else sorted(valid, key=lambda binding: -binding.q)

    def users(self) -> list[str]:
        """All that have bindings, in no order."""
        return self._users.users()

    def is_known(self, user: str) -> bool:
        """Whether `user` is registered, or has been lately."""
        return user in self._users or self._users.was_bound(user)

    def registered_from(self, user: str, host: str, now_at: float) -> bool:
        """Whether a valid binding of `user` was made from the address `host`, or has it in its contact."""
        wanted = canonical_host(host)
        return any(wanted in _hosts(binding) for binding in self.lookup(user, now_at))

    def registered_at(self, user: str, host: str, port: int, now_at: float) -> bool:
        """Whether a valid binding of `user` was made by a datagram from exactly this address and port."""
        wanted = format_hop(host, port)
        return any(binding.source == wanted for binding in self.lookup(user, now_at))

    def binding_at(self, user: str, uri: SipUri, now_at: float) -> Binding | None:
        """Return the valid binding of `user` at the contact `uri`, parameters apart; None if there is none."""
        key = _hop_key(uri)
        for binding in self.lookup(user, now_at):
            if (contact := binding.contact_uri) is not None and _hop_key(contact) == key:
                return binding
        return None

    def is_contact(self, contact: str, now_at: float) -> bool:
        """Whether somebody is validly registered at the URI `contact`, parameters apart."""
        try:
            key = _hop_key(SipUri.parse(contact))
        except ParseError:
            return False
        users = self._contact_index().get(key, ())
        return any(
            binding.expires_at > now_at and (uri := binding.contact_uri) is not None and _hop_key(uri) == key
            for user in users
            for binding in self._bindings(user)
        )

    def snapshot(self) -> Snapshot:
        """All that is in here."""
        return self.number, {user: self._bindings(user) for user in self._users.users()}

    def _bindings(self, user: str) -> list[Binding]:
        return bindings_in(self._users.get(user))

    def _contact_index(self) -> dict[HopKey, set[str]]:
        if self._contacts is None:
            self._contacts = {}
            for user in self._users.users():
                self._index(user, self._bindings(user))
        return self._contacts

    def _index(self, user: str, bindings: list[Binding]) -> None:
        for binding in bindings:
            if self._contacts is not None and (uri := binding.contact_uri):
                self._contacts.setdefault(_hop_key(uri), set()).add(user)

    def _unindex(self, user: str, bindings: Iterable[Binding]) -> None:
        for binding in bindings:
            if self._contacts is not None and (uri := binding.contact_uri):
                users = self._contacts.get(_hop_key(uri), set())
                users.discard(user)
                if not users:
                    self._contacts.pop(_hop_key(uri), None)

    def _take_indexed(self, records: bytes) -> list[str]:
        changed = users_in(records)
        for user in changed:
            self._unindex(user, self._bindings(user))
        self._users.take(records)
        for user, bindings in changed.items():
            self._index(user, bindings)
        return list(changed)


def _without_ends(bindings: Iterable[Binding]) -> list[Binding]:
    return [each._replace(expires_at=0.0) for each in bindings]


def _tell_nobody(users: Iterable[str] | None) -> None:
    """Nobody wants to know."""


def _hop_key(uri: SipUri) -> HopKey:
    host, port = address_named(uri)
    return uri.username, canonical_host(host), port


def _hosts(binding: Binding) -> set[str]:
    uri = binding.contact_uri
    hosts = (binding.source_host, uri.host if uri else "")
    return {canonical_host(host) for host in hosts}
