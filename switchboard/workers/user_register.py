"""The users at a worker: the first registrar's book, changed by commands and the console; what proves who is who."""

import secrets
import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import structlog

from switchboard.auth.authenticator import Authenticator, Trusted, Verifier
from switchboard.auth.failures import Failures
from switchboard.auth.nonce import Nonces, Replays
from switchboard.auth.user_store import UserStore, read_page
from switchboard.auth.users import Entry, Record, Users
from switchboard.bus.context import BusContext
from switchboard.bus.outbox import Outbox
from switchboard.bus.peer import Publisher
from switchboard.settings.model import Settings
from switchboard.settings.site import router_numbers
from switchboard.settings.users import open_users
from switchboard.sip.dispatch import REGISTRAR
from switchboard.storage.record_store import OwnFollower
from switchboard.storage.records import A_PAGE, A_READING, Follower
from switchboard.storage.writing import Writing
from switchboard.workers.record_register import RecordRegister, follow_records


def make_authenticator(
    settings: Settings, key: bytes, issuer: str, kept: Iterable[tuple[bytes, bytes]], failures: Failures
) -> Authenticator | None:
    """Return that of the worker `issuer`, None if everybody is believed.

    `kept`: the nonces in use. `issuer` names the store of them, too: what was captured is good nowhere else.
    """
    if settings.auth == "off":
        return None
    nonces = Nonces(key, issuer, settings.nonce_s, secrets.token_bytes)
    replays = Replays(settings.nonce_s, kept)
    chosen = {name: user.auth_algorithms for name, user in settings.users.items() if user.auth_algorithms}
    users = Users(settings.realm)
    verifier = Verifier(key, settings.auth_algorithms, users, nonces, replays, chosen)
    return Authenticator(verifier, Trusted(settings.trusted), failures)


def follow_users(
    users: Users, settings: Settings, context: BusContext, asker: int, copy: Path
) -> tuple[Follower, list[Outbox]]:
    """As `follow_records`. `copy`: the file of its own that the asker has if the first registrar is elsewhere."""
    read = partial(read_page, settings.users_path, at_most=A_READING)
    return follow_records("users", users, settings, context, asker, read, partial(UserStore, copy))


class KnownUsers(Protocol):
    """The users as a registrar has them, its own or those of another registrar."""

    @property
    def outboxes(self) -> Sequence[Outbox]: ...
    @property
    def writings(self) -> Sequence[Writing]: ...
    @property
    def fd(self) -> int | None:
        """Readable when others have changed users."""

    def has(self, user: str) -> bool:
        """Whether there is a user of this name."""

    def send_page(self, item: Any) -> bool:
        """Answer a `users.wanted`; False if it is none."""

    def answer(self, question: str, body: Any) -> Any:
        """Answer questions about users. NotWritten; LookupError."""

    def tell(self) -> None:
        """Take in what has changed, and tell the routers."""

    def told(self, series: str, number: int) -> bool:
        """Take a `users.number`; False: nobody may send one."""

    def take_page(self, item: list[Any]) -> bool:
        """Take an item of `users.page`; False: nobody was asked for one."""

    def try_again(self) -> None:
        """See whether users can be written again, if they could not be."""

    def notes(self) -> list[str]:
        """What people are to know."""

    def close(self) -> None:
        """Let go of the store."""


class FollowedUsers:
    """Those of the first registrar, as another one of the switchboard knows them. See `KnownUsers`."""

    writings: Sequence[Writing] = ()
    fd = None

    def __init__(
        self, settings: Settings, context: BusContext, instance: int, authenticator: Authenticator | None
    ) -> None:
        self.outboxes: Sequence[Outbox] = ()
        self._users = authenticator.verifier.users if authenticator else None
        self._follower: Follower | None = None
        if self._users is not None:
            copy = settings.data_dir / f"users-{instance}.db"
            self._follower, self.outboxes = follow_users(
                self._users, settings, context, REGISTRAR - instance, copy
            )
            self._follower.start()

    def has(self, user: str) -> bool:
        return self._users is not None and user in self._users

    def send_page(self, item: Any) -> bool:  # noqa: ARG002
        return False

    def answer(self, question: str, body: Any) -> Any:
        """user.known."""
        if question == "user.known" and isinstance(body, str):
            return self.has(body)
        raise LookupError(question)

    def tell(self) -> None:
        """The first registrar does."""

    def told(self, series: str, number: int) -> bool:
        if self._follower:
            self._follower.told(series, number)
        return self._follower is not None

    def take_page(self, item: list[Any]) -> bool:
        if self._follower:
            self._follower.take_page(item)
        return self._follower is not None

    def try_again(self) -> None:
        """Nothing is written but a copy."""

    def notes(self) -> list[str]:
        return [self._follower.failure] if self._follower and self._follower.failure else []

    def close(self) -> None:
        """Nothing is held open."""


class UserRegister(RecordRegister[Record]):
    """The first registrar has it. See `RecordRegister`, `KnownUsers`; routers and the other registrars follow users.

    Questions: user.put, user.remove, user.known, user.list.
    """

    def __init__(
        self,
        settings: Settings,
        context: BusContext,
        publisher: Publisher,
        authenticator: Authenticator | None,
    ) -> None:
        self.path = settings.users_path
        store = open_users(settings, follows=True)
        if store.was_exposed:
            structlog.get_logger().warning(
                "users.db could be read by others, and is closed to them now: if others use this machine, "
                "give the users new passwords (switchboard user passwd NAME)"
            )
        self._book = store
        self._users = authenticator.verifier.users if authenticator else None
        follower = OwnFollower(self._users, store) if self._users is not None else None
        super().__init__("users", store, follower, settings, context, publisher, self._followed(settings))
        self.writings = [self.writing]
        if self._users is not None:
            self._warn(self._users)

    def _followed(self, settings: Settings) -> dict[int, tuple[str, int]]:
        if self._users is None:
            return {}
        routers = {number: ("router", number) for number in router_numbers(settings)}
        others = {REGISTRAR - each: ("registrar", each) for each in range(1, settings.registrars)}
        return routers | others

    def has(self, user: str) -> bool:
        """Whether there is a user called so."""
        return self._book.find(user) is not None

    def answer(self, question: str, body: Any) -> Any:
        """user.put: how many are new; user.remove: whether there was one; user.known; user.list: all, or some.

        NotWritten.
        """
        changed: int
        match question, body:
            case "user.put", list(entries):
                changed = self._book.put([Entry(*entry) for entry in entries], time.time())
            case "user.remove", str(user):
                changed = self._book.remove(user, time.time())
            case "user.list", [str(prefix), str(after), int(at_most)]:
                found = self._book.named(prefix, after, min(max(0, at_most), A_PAGE))
                return [[each.user, each.realm, each.changed_at] for each in found]
            case "user.known", str(user):
                return self._users is not None and user in self._users
            case "user.list", _:
                return [[each.user, each.realm, each.changed_at] for each in self._book.users()]
            case _:
                raise LookupError(question)
        self.tell()
        return changed

    def told(self, series: str, number: int) -> bool:  # noqa: ARG002
        return False

    def take_page(self, item: list[Any]) -> bool:  # noqa: ARG002
        return False

    def notes(self) -> list[str]:
        """Whether there is anybody who can register."""
        if self._users is None or len(self._users):
            return []
        return ['nobody can register: auth is "on", and there are no users (switchboard user add NAME)']

    def _warn(self, users: Users) -> None:
        if not len(users):
            structlog.get_logger().warning(
                "nobody can register: there are no users yet", todo="switchboard user add NAME"
            )
        elif users.foreign:
            structlog.get_logger().warning(
                "users have passwords for another realm, which are worth nothing in this one",
                users=users.foreign,
                realm=users.realm,
                todo="set realm as it was, or switchboard user passwd NAME",
            )
