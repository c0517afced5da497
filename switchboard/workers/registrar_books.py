"""What a registrar knows besides the bindings: users, and at the first one the rules and whose turn it is in groups.

The first registrar owns all of it. Another one of the same switchboard follows the users, as routers do.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from switchboard.auth.authenticator import Authenticator
from switchboard.bus.context import BusContext
from switchboard.bus.outbox import Outbox
from switchboard.bus.peer import Publisher
from switchboard.settings.model import Settings
from switchboard.storage.writing import Writing
from switchboard.workers.rule_register import RuleRegister
from switchboard.workers.turn_register import TurnRegister
from switchboard.workers.user_register import FollowedUsers, KnownUsers, UserRegister


class Books:
    """Those of registrar `instance`. `is_bound`: whether somebody is registered, who may be no user.

    `files`: what it owns; `writings`: how that is written; `outboxes`: pages and questions.
    """

    def __init__(
        self,
        settings: Settings,
        context: BusContext,
        instance: int,
        publisher: Publisher,
        authenticator: Authenticator | None,
        is_bound: Callable[[str], bool],
    ) -> None:
        self.bad_items = 0
        self._is_bound = is_bound
        self._users: KnownUsers
        self._rules: RuleRegister | None = None
        self._turns: TurnRegister | None = None
        self.files: list[Path] = []
        if instance:
            self._users = FollowedUsers(settings, context, instance, authenticator)
        else:
            self._users = UserRegister(settings, context, publisher, authenticator)
            self._rules = RuleRegister(settings, context, publisher, self._is_known)
            self._turns = TurnRegister(settings.turns_path, publisher)
            self.files = [settings.users_path, settings.rules_path, settings.turns_path]
        self.writings: list[Writing] = list(self._users.writings)
        self.outboxes: list[Outbox] = list(self._users.outboxes)
        if self._rules is not None:
            self.writings.append(self._rules.writing)
            self.outboxes += self._rules.outboxes
        if self._turns is not None:
            self.writings.append(self._turns.writing)

    def receive(self, subject: str, body: Any, at: float) -> None:
        """Take what is about them; anything else is a bad item. `at`: epoch s."""
        match subject, body:
            case "users.wanted", list(items):
                self._note(items, self._users.send_page)
            case "users.number", [str(series), int(number)]:
                self.bad_items += not self._users.told(series, number)
            case "users.page", list(pages):
                self._note(pages, self._users.take_page)
            case "rules.wanted", list(items) if self._rules is not None:
                self._note(items, self._rules.send_page)
            case "turns.told", list(items) if self._turns is not None:
                self.bad_items += self._turns.take(items, at)
            case _:
                self.bad_items += 1

    def _note(self, items: Sequence[Any], take: Callable[[Any], bool]) -> None:
        self.bad_items += sum(not take(each) for each in items)

    def answer_dialled(self, items: Sequence[Any]) -> list[bytes]:
        """The packed items of sip.send that answer those of `rules.dialled`."""
        if self._rules is None:
            self.bad_items += 1
            return []
        answers = [answer for each in items if (answer := self._rules.answer_dialled(each))]
        self.bad_items += len(items) - len(answers)
        return answers

    def answer(self, question: str, body: Any) -> Any:
        """user.*: see `UserRegister`; rules.*: see `RuleKeeper`. NotWritten; LookupError.

        A user's rules go before the user does.
        """
        if self._rules is not None and question == "user.remove" and isinstance(body, str):
            self._rules.forget(body)
        if question.startswith("user."):
            return self._users.answer(question, body)
        if self._rules is not None and question.startswith("rules."):
            return self._rules.answer(question, body)
        raise LookupError(question)

    def _is_known(self, user: str) -> bool:
        return self._users.has(user) or self._is_bound(user)

    def watch(self) -> dict[int, Callable[[float], None]]:
        """What others have changed in databases that they share."""
        registers = (self._users, self._rules)
        return {
            each.fd: self._hear(each.tell) for each in registers if each is not None and each.fd is not None
        }

    def _hear(self, tell: Callable[[], None]) -> Callable[[float], None]:
        return lambda _now: tell()

    def tell(self) -> None:
        """Take in what has changed, and tell the routers the last numbers; at first, and every second."""
        if self._turns is not None:
            self._turns.greet()
        self._users.tell()
        if self._rules is not None:
            self._rules.tell()

    def keep(self) -> None:
        """Write what may be late; every second."""
        if self._turns is not None:
            self._turns.keep()

    def try_again(self) -> None:
        """See whether can be written again what could not be."""
        self._users.try_again()
        if self._rules is not None:
            self._rules.try_again()
        self.keep()

    def notes(self) -> list[str]:
        """What people are to know."""
        return self._users.notes()

    def stats(self) -> dict[str, float]:
        """How many there are."""
        found = {"rules": self._rules, "turns": self._turns}
        return {name: len(each) for name, each in found.items() if each is not None}

    def close(self) -> None:
        """Let go of the stores."""
        for each in (self._users, self._rules, self._turns):
            if each is not None:
                each.close()
