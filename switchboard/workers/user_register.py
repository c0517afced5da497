"""The users at a worker: the registrar's book, changed by commands and the console, and what proves who somebody is."""

import secrets
import time
from collections.abc import Iterable
from typing import Any

import structlog

from switchboard.auth.authenticator import Authenticator, Trusted, Verifier
from switchboard.auth.failures import Failures
from switchboard.auth.nonce import Nonces, Replays
from switchboard.auth.users import Entry, Users
from switchboard.bus.context import BusContext
from switchboard.bus.outbox import Outbox
from switchboard.bus.peer import Publisher
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of, is_here, router_numbers
from switchboard.settings.users import open_users
from switchboard.storage.records import StoreFollower
from switchboard.storage.unusable import UnusableFile


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


USERS_A_PAGE = 500
USERS_A_READING = 20_000
"""Of a store on this host; each reading opens it anew."""
PAGES_KEPT = 2
"""For a router that is away; it asks again."""


class UserRegister:
    """Owns the store of users; a change is on disk before the command hears of it, and in force at once.

    Questions: user.put, user.remove, user.known, user.list. Tells routers the last change's number (users.number).
    """

    def __init__(
        self,
        settings: Settings,
        context: BusContext,
        publisher: Publisher,
        authenticator: Authenticator | None,
    ) -> None:
        endpoints = endpoints_of(settings)
        self.path = settings.users_path
        self._store = open_users(settings, follows=True)
        self.writing = self._store.writing
        if self._store.was_exposed:
            structlog.get_logger().warning(
                "users.db could be read by others, and is closed to them now: if others use this machine, "
                "give the users new passwords (switchboard user passwd NAME)"
            )
        self._told_joined = 0
        self._publisher = publisher
        self._pages = {
            number: Outbox(context, endpoints.inbox("router", number), "users.page", PAGES_KEPT)
            for number in router_numbers(settings)
            if authenticator and not is_here(f"router.{number}", settings)
        }
        self._users = authenticator.verifier.users if authenticator else None
        if self._users is not None:
            self._follower = StoreFollower(
                self._users, lambda after: self._store.page(after, USERS_A_READING)
            )
            self._catch_up()
            self._warn()

    @property
    def outboxes(self) -> list[Outbox]:
        return list(self._pages.values())

    def has(self, user: str) -> bool:
        """Whether there is a user called so."""
        return self._store.find(user) is not None

    @property
    def fd(self) -> int | None:
        """Readable when others have changed users."""
        return self._store.fd

    def send_page(self, item: Any) -> bool:
        """Answer a `users.wanted`; False if it is none."""
        match item:
            case [int(router), int(after)] if router in self._pages:
                self._pages[router].put(self._store.page(after, USERS_A_PAGE).to_wire())
                return True
        return False

    def answer(self, question: str, body: Any) -> Any:
        """user.put: how many are new; user.remove: whether there was one; user.known; user.list: all, or some.

        NotWritten.
        """
        changed: int
        match question, body:
            case "user.put", list(entries):
                changed = self._store.put([Entry(*entry) for entry in entries], time.time())
            case "user.remove", str(user):
                changed = self._store.remove(user, time.time())
            case "user.list", [str(prefix), str(after), int(at_most)]:
                found = self._store.named(prefix, after, min(max(0, at_most), USERS_A_PAGE))
                return [[each.user, each.realm, each.changed_at] for each in found]
            case "user.known", str(user):
                return self._users is not None and user in self._users
            case "user.list", _:
                return [[each.user, each.realm, each.changed_at] for each in self._store.users()]
            case _:
                raise LookupError(question)
        self.tell()
        return changed

    def tell(self) -> None:
        """Take in what has changed, and tell the routers. To be called every second, and when `fd` is readable."""
        self._store.go_on()
        self._store.keep_place()
        self._tell_joined()
        if self._users is not None:
            self._catch_up()
            self._publisher.send("users.number", [self._users.series, self._users.number])

    def _tell_joined(self) -> None:
        if (joined := self._store.joined) > self._told_joined:
            structlog.get_logger().info(
                "users of users.db were put into the database", users=joined - self._told_joined
            )
            self._told_joined = joined

    def try_again(self) -> None:
        """See whether users can be written again, if they could not be."""
        if self.writing.error:
            self._store.try_again()

    def notes(self) -> list[str]:
        """Whether there is anybody who can register."""
        if self._users is None or len(self._users):
            return []
        return ['nobody can register: auth is "on", and there are no users (switchboard user add NAME)']

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    def _catch_up(self) -> None:
        assert self._users is not None
        try:
            self._follower.told(*self._store.state())
        except UnusableFile:  # what is known of the users stays in force
            self._store.try_again()

    def _warn(self) -> None:
        assert self._users is not None
        if not len(self._users):
            structlog.get_logger().warning(
                "nobody can register: there are no users yet", todo="switchboard user add NAME"
            )
        elif self._users.foreign:
            structlog.get_logger().warning(
                "users have passwords for another realm, which are worth nothing in this one",
                users=self._users.foreign,
                realm=self._users.realm,
                todo="set realm as it was, or switchboard user passwd NAME",
            )
