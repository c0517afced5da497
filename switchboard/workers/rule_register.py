"""The rules at the registrar: who is called when, changed by commands, console and phones, and followed by routers."""

import time
from collections.abc import Callable
from typing import Any

from switchboard.bus.context import BusContext
from switchboard.bus.frames import flow_of
from switchboard.bus.peer import Publisher
from switchboard.registrar.rule_keeper import RuleKeeper
from switchboard.registrar.rule_store import RuleRecord
from switchboard.registrar.star_answers import DIALLED, answer_to, said
from switchboard.settings.model import Settings
from switchboard.settings.rules import surroundings_of
from switchboard.settings.site import router_numbers
from switchboard.settings.users import open_rules
from switchboard.sip.message import Message
from switchboard.storage.unusable import NotWritten
from switchboard.workers.record_register import RecordRegister


class RuleRegister(RecordRegister[RuleRecord]):
    """See `RecordRegister`; only routers follow rules. Questions: see `RuleKeeper`."""

    def __init__(
        self,
        settings: Settings,
        context: BusContext,
        publisher: Publisher,
        is_known: Callable[[str], bool],
    ) -> None:
        self.path = settings.rules_path
        store = open_rules(settings, follows=True)
        self._keeper = RuleKeeper(store, surroundings_of(settings, is_known), time.time)
        routers = {number: ("router", number) for number in router_numbers(settings)}
        super().__init__("rules", store, self._keeper.follower, settings, context, publisher, routers)

    def __len__(self) -> int:
        return len(self._keeper.rules)

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
