"""Gives users passwords: generated, and forgotten as soon as the registrar has what proves them."""

from typing import Any

from switchboard.auth.digest import make_ha1
from switchboard.auth.users import make_entry
from switchboard.bus.ask import ask
from switchboard.bus.context import BusContext
from switchboard.cli.passwords import generate_password
from switchboard.console.provisioning import Credentials
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of

ANSWER_S = 2.0


class Accounts:
    """Asks the registrar, and waits for it; BusError if it does not do what it is asked for."""

    def __init__(self, settings: Settings, context: BusContext) -> None:
        self._settings = settings
        self._context = context

    def has(self, user: str) -> bool:
        """Whether there is a user called so."""
        return any(name == user for name, *_ in self._ask("user.list", None))

    def give_password(self, user: str) -> Credentials:
        """Give `user`, new or not, a password that nobody gets to know; return what proves it."""
        realm, algorithm = self._settings.realm, self._settings.algorithms_of(user)[0]
        password = generate_password()
        self._ask("user.put", [list(make_entry(user, realm, password))])
        return Credentials(realm, algorithm, make_ha1(algorithm, user, realm, password))

    def _ask(self, question: str, body: object) -> Any:
        door = endpoints_of(self._settings).ask("registrar")
        return ask(door, question, body, ANSWER_S, self._context)
