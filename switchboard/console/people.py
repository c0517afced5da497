"""Users and phones: what the console's pages and its JSON API show and do, each act once.

All functions block until the registrar has answered: call them on a thread. Each act is durable when it returns.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from switchboard.auth.users import make_entry
from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcRefused
from switchboard.cli.credentials import generate_password
from switchboard.console.bad_user import BadUser
from switchboard.console.names import MOST_CHARACTERS, DisplayNames
from switchboard.console.own_links import OwnLinks
from switchboard.console.rule_desk import RuleDesk
from switchboard.console.watch import RegisteredPhone, phones_of, registered_phones, with_reach
from switchboard.settings.ask import ask_registrar
from switchboard.settings.model import Settings
from switchboard.storage.unusable import NotWritten
from switchboard.survey.messages import Waiting, texts_waiting

ANSWER_S = 2.0
USER = re.compile(r"[A-Za-z0-9_.!~*'()&=+$,;?/%-]{1,64}")
"""The user part of a SIP URI (RFC 3261 §25.1)."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user. `password_set_at`: epoch s, None for who has no password and is only registered.

    `is_void`: the password was given for another realm, so nobody can register with it.
    """

    user: str
    display_name: str
    password_set_at: float | None
    is_void: bool
    phones: Sequence[RegisteredPhone]


class People:
    """Asks the registrar, which owns users and bindings; RpcError if it does not do what it is asked for."""

    def __init__(
        self,
        settings: Settings,
        context: BusContext,
        key: bytes = b"",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`key` signs the links to users' own pages, whose lifetimes count by `clock` (epoch s)."""
        self._settings = settings
        self._context = context
        self.names = DisplayNames(settings.console_names_path)
        self.rules = RuleDesk(self._ask)
        self.links = OwnLinks(DisplayNames(settings.console_links_path, "links of users"), key, clock)

    @property
    def has_passwords(self) -> bool:
        """Whether anybody is asked for a password."""
        return self._settings.auth == "on"

    def all(self, text: str = "") -> list[Person]:
        """All users with a password, and all who are registered, by name; only those with `text` somewhere.

        StoreError if the bindings cannot be read.
        """
        passwords = {name: (realm, at) for name, realm, at in self._ask("user.list", None)}
        phones: dict[str, list[RegisteredPhone]] = {}
        for each in registered_phones(self._settings, self._context, time.time()):
            phones.setdefault(each.user, []).append(each)
        found = (
            self._person(user, passwords.get(user), phones.get(user, ()))
            for user in sorted({*passwords, *phones})
        )
        return [each for each in found if _has(each, text.strip().lower())]

    def with_reach(self, people: Sequence[Person]) -> list[Person]:
        """The same, their phones with whether they answer, as far as that is known (qualify_s)."""
        asked = [phone for each in people for phone in each.phones]
        found: dict[str, list[RegisteredPhone]] = {}
        for phone in with_reach(asked, self._settings, self._context):
            found.setdefault(phone.user, []).append(phone)
        return [replace(each, phones=found.get(each.user, ())) for each in people]

    def some(self, prefix: str, after: str, at_most: int) -> list[Person]:
        """The next users with a password whose names begin so and follow `after`, by name, without their phones."""
        found = self._ask("user.list", [prefix, after, at_most])
        return [self._person(name, (realm, at), ()) for name, realm, at in found]

    def one(self, user: str) -> Person | None:
        """The user called so; None if it has neither a password nor a phone."""
        password = self._password_of(user)
        phones = phones_of(user, self._settings, self._context)
        return self._person(user, password, phones) if password or phones else None

    def texts(self, user: str) -> list[Waiting]:
        """The texts that wait for a user; of nobody if there are none."""
        return texts_waiting(self._settings, self._context, user)

    def has_password(self, user: str) -> bool:
        """Whether there is a user called so."""
        return self._password_of(user) is not None

    def add(self, user: str, display_name: str = "") -> str:
        """Add a user and return the generated password; "" where nobody is asked for one.

        BadUser: the name cannot be one, or somebody has it. NotWritten: the display name could not be kept.
        """
        check_user(user)
        name = checked_name(display_name)
        if self.has_passwords and self.has_password(user):
            raise BadUser(f"There is a user {user} already. Nothing was changed.", 409)
        password = self._give_password(user) if self.has_passwords else ""
        if name:
            self.names.put(user, name)
        return password

    def renew(self, user: str) -> str:
        """Give `user` another password and return it; the old one is void at once. BadUser: there is no such user."""
        if not self.has_password(user):
            raise _unknown(user)
        return self._give_password(user)

    def remove(self, user: str) -> None:
        """Let nobody be `user`, and remove its bindings: it is not called any more. BadUser: there is no such user."""
        was_user = bool(self._ask("user.remove", user))
        was_bound = bool(self._ask("location.remove", [user, ""]))
        if not (was_user or was_bound):
            raise _unknown(user)
        self.names.put(user, "")
        self.links.revoke(user)

    def rename(self, user: str, display_name: str) -> None:
        """Let the console show this display name, "" for none. BadUser, NotWritten, StoreError."""
        name = checked_name(display_name)
        if self.one(user) is None:
            raise _unknown(user)
        self.names.put(user, name)

    def make_link(self, user: str) -> str:
        """A new link (its token) to a user's own page; earlier ones are void. BadUser, NotWritten, StoreError."""
        person = self.one(user)
        if person is None:
            raise _unknown(user)
        return self.links.make(user, person.password_set_at)

    def unbind(self, user: str, contact: str) -> None:
        """Remove one binding, until the phone registers again. BadUser: the user has no such contact."""
        if not contact or not self._ask("location.remove", [user, contact]):
            raise BadUser(f"{user} is not registered at {contact or 'no contact'} (any more).", 404)

    def _person(
        self, user: str, password: tuple[str, float] | None, phones: Sequence[RegisteredPhone]
    ) -> Person:
        realm, set_at = password or (self._settings.realm, None)
        return Person(user, self.names.get(user), set_at, realm != self._settings.realm, phones)

    def _password_of(self, user: str) -> tuple[str, float] | None:
        """Its realm, and when it was set."""
        found = self._ask("user.list", [user, "", 1])
        return next(((realm, at) for name, realm, at in found if name == user), None)

    def _give_password(self, user: str) -> str:
        password = generate_password()
        self._ask("user.put", [list(make_entry(user, self._settings.realm, password))])
        return password

    def _ask(self, question: str, body: object) -> Any:
        return ask_registrar(self._settings, self._context, question, body, ANSWER_S)


def check_user(user: str) -> None:
    """BadUser if nobody can be called so."""
    if not USER.fullmatch(user):
        raise BadUser(f"{user!r} cannot stand in a SIP address: use 1 to 64 letters and digits.", 400)


def checked_name(text: str) -> str:
    """The display name without what only looks like nothing. BadUser."""
    name = " ".join(text.split())
    if len(name) > MOST_CHARACTERS or not name.isprintable():
        raise BadUser(f"A display name has at most {MOST_CHARACTERS} characters, all of them visible.", 400)
    return name


def why_not(error: Exception) -> str:
    """Why an act was not done, for people."""
    if isinstance(error, (BadUser, NotWritten)):
        return str(error)
    if isinstance(error, RpcRefused):
        return f"The registrar refuses: {error}. Nothing was changed."
    return (
        "The registrar, which keeps users and registrations, does not answer. Nothing was changed. "
        "Look at Now whether it is up, then try again."
    )


def _has(person: Person, text: str) -> bool:
    shown = [person.user, person.display_name]
    shown += [part for each in person.phones for part in (each.contact, each.source, each.user_agent)]
    return not text or any(text in each.lower() for each in shown)


def _unknown(user: str) -> BadUser:
    return BadUser(f"There is no user {user}. Nothing was changed.", 404)
