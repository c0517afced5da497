"""The rules of users and groups as commands see them: at the registrar or, while none runs, in its store."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

from switchboard.cli.output import fail, say
from switchboard.cli.registrar import ask_registrar, open_store, told
from switchboard.registrar.rule_keeper import RuleKeeper
from switchboard.settings.model import Settings
from switchboard.settings.rules import surroundings_of
from switchboard.settings.users import open_rules, open_users
from switchboard.storage.records import A_PAGE

_LOOKS = ("rules.of", "rules.group", "rules.list")
"""Questions that change nothing."""


class RuleBook:
    """A command ends with status 1 if the rules cannot be reached, or cannot be as it wants them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keeper: RuleKeeper | None = None

    def ask(self, question: str, body: object) -> Any:
        """What `RuleKeeper.answer` says."""
        answer = None if self._keeper else ask_registrar(self._settings, question, body)
        if answer is None:
            with told():
                answer = self._open().answer(question, body)
        if isinstance(answer, dict) and "refused" in answer:
            why = answer["refused"]
            fail(f"{why[0].upper()}{why[1:]}." if question in _LOOKS else f"Nothing was changed: {why}.")
        return answer

    def forget(self, user: str) -> None:
        """Remove the rules of a user who goes, if no registrar does so."""
        if self._keeper or ask_registrar(self._settings, "rules.naming", user) is None:
            with told():
                self._open().forget(user)

    def all(self, prefix: str = "") -> Iterator[dict[str, Any]]:
        """All rules of users and groups whose names begin so, by name."""
        after = ""
        while page := self.ask("rules.list", [prefix, after, A_PAGE]):
            yield from page
            after = page[-1]["name"]

    def _open(self) -> RuleKeeper:
        if self._keeper is None:
            users = open_store(self._settings, open_users)
            around = surroundings_of(self._settings, lambda user: users.find(user) is not None)
            self._keeper = RuleKeeper(open_store(self._settings, open_rules), around, time.time)
        return self._keeper


def say_notes(notes: Iterable[str]) -> None:
    """Say what may surprise."""
    for note in notes:
        say(f"Note: {note}.")
