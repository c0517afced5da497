"""The rules at the registrar: who is called when, changed by commands, console and phones, and followed by routers."""

import time
from collections.abc import Callable
from typing import Any

import structlog

from switchboard.bus.context import BusContext
from switchboard.bus.frames import flow_of
from switchboard.bus.outbox import Outbox
from switchboard.bus.peer import Publisher
from switchboard.registrar.rule_keeper import RULES_A_PAGE, RuleKeeper
from switchboard.registrar.star_answers import DIALLED, answer_to, said
from switchboard.settings.model import Settings
from switchboard.settings.rules import surroundings_of
from switchboard.settings.site import endpoints_of, is_here, router_numbers
from switchboard.settings.users import open_rules
from switchboard.sip.message import Message
from switchboard.storage.unusable import NotWritten

PAGES_KEPT = 2
"""For a router that is away; it asks again."""


class RuleRegister:
    """Owns the store of rules; a change is on disk before who asked hears of it, and in force at once.

    Questions: see `RuleKeeper`. Tells routers the last change's number (rules.number).
    """

    def __init__(
        self,
        settings: Settings,
        context: BusContext,
        publisher: Publisher,
        is_known: Callable[[str], bool],
    ) -> None:
        endpoints = endpoints_of(settings)
        self.path = settings.rules_path
        self._store = open_rules(settings, follows=True)
        self.writing = self._store.writing
        self._keeper = RuleKeeper(self._store, surroundings_of(settings, is_known), time.time)
        self._told_joined = 0
        self._publisher = publisher
        self._pages = {
            number: Outbox(context, endpoints.inbox("router", number), "rules.page", PAGES_KEPT)
            for number in router_numbers(settings)
            if not is_here(f"router.{number}", settings)
        }

    def __len__(self) -> int:
        return len(self._keeper.rules)

    @property
    def outboxes(self) -> list[Outbox]:
        return list(self._pages.values())

    @property
    def fd(self) -> int | None:
        """Readable when others have changed rules."""
        return self._store.fd

    def send_page(self, item: Any) -> bool:
        """Answer a `rules.wanted`; False if it is none."""
        match item:
            case [int(router), int(after)] if router in self._pages:
                self._pages[router].put(self._store.page(after, RULES_A_PAGE).to_wire())
                return True
        return False

    def answer(self, question: str, body: Any) -> Any:
        """As `RuleKeeper.answer`. NotWritten, LookupError."""
        answer = self._keeper.answer(question, body)
        self.tell()
        return answer

    def answer_dialled(self, item: Any) -> bytes:
        """The packed item of sip.send that answers an item of `rules.dialled`; b"" if that is none."""
        flow = flow_of(item, DIALLED)
        if flow is None or not item[1]:
            return b""
        message, (user, changes) = Message(item[2], item[1]), item[3:]
        try:
            told = self._keeper.answer("rules.set", [user, changes])
            status, text = said(told)
            self.tell()
        except NotWritten as error:
            status, text = 503, str(error)
        return answer_to(message, flow, status, text)

    def forget(self, user: str) -> None:
        """Remove the rules of a user who goes. NotWritten."""
        self._keeper.forget(user)
        self.tell()

    def tell(self) -> None:
        """Take in what has changed, and tell the routers. To be called every second, and when `fd` is readable."""
        self._store.go_on()
        self._store.keep_place()
        if (joined := self._store.joined) > self._told_joined:
            structlog.get_logger().info(
                "rules of rules.db were put into the database", rules=joined - self._told_joined
            )
            self._told_joined = joined
        self._keeper.catch_up()
        rules = self._keeper.rules
        self._publisher.send("rules.number", [rules.series, rules.number])

    def try_again(self) -> None:
        """See whether rules can be written again, if they could not be."""
        if self.writing.error:
            self._store.try_again()

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()
