"""What the registrar says of users and groups, for commands that explain where calls go."""

from collections.abc import Callable
from functools import partial
from typing import Any

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError
from switchboard.cli.running import context_or_exit
from switchboard.registrar.listing import Wanted, read_pages
from switchboard.settings.ask import ask_registrar
from switchboard.settings.model import Settings


class AskedRegistrar:
    """What it knows of users; each question is put once, and nothing more after one that it does not answer."""

    def __init__(
        self,
        settings: Settings,
        timeout_s: float,
        open_context: Callable[[Settings], BusContext] = context_or_exit,
    ) -> None:
        self._open_context = open_context
        self._settings = settings
        self._timeout_s = timeout_s
        self._known: dict[str, bool] = {}
        self.failure = ""

    def knows(self, user: str) -> bool:
        """Whether it is a user: in the settings, registered, or registered lately."""
        if user not in self._known:
            self._known[user] = user in self._settings.users or user in self._ask(
                lambda ask: list(ask("location.known", [user]))
            )
        return self._known[user]

    def contacts(self, user: str) -> list[str]:
        """Where the user is registered now."""
        pages = self._ask(
            lambda ask: [*read_pages(lambda body: ask("location.list", body), Wanted("", user))]
        )
        return [str(each["contact_uri"]) for name, bound in pages for each in bound if name == user]

    def rules(self, question: str, name: object) -> Any:
        """What it says of rules; None without an answer."""
        return next(iter(self._ask(lambda ask: [ask(question, name)])), None)

    def _ask(self, put: Callable[[Callable[[str, object], Any]], list[Any]]) -> list[Any]:
        try:
            if not self.failure:
                with self._open_context(self._settings) as context:
                    return put(partial(ask_registrar, self._settings, context, timeout_s=self._timeout_s))
        except RpcError as error:
            self.failure = f"It is not known who is registered: {error}."
        return []

    def is_user(self, user: str) -> bool | None:
        """The same as `knows`; None if it does not answer."""
        known = self.knows(user)
        return None if self.failure else known

    def has_group(self, name: str) -> bool | None:
        """Whether there is such a group; None if it does not answer."""
        told = self.rules("rules.group", name)
        return None if self.failure else bool((told or {}).get("rules"))
