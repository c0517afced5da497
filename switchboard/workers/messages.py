"""The presence worker's desk for texts: it takes them from routers, which deliver them later (`messages/desk.py`)."""

from collections.abc import Sequence
from typing import Any, Final

from switchboard.bus.frames import flow_of
from switchboard.codec import CodecError
from switchboard.core.keeping import tag_of
from switchboard.messages.desk import TOKEN as TOKEN
from switchboard.messages.desk import Desk
from switchboard.messages.store import MessageStore
from switchboard.presence.reception import ITEM, Answer, Reception, Request
from switchboard.registrar.user_table import users_in
from switchboard.settings.model import Settings
from switchboard.sip.message import Message
from switchboard.storage.unusable import NotWritten
from switchboard.storage.writing import Writing
from switchboard.workers.own_requests import Requester

METHOD: Final = "MESSAGE"
ARRIVED: Final = 200
"""In the place of the refusal: a phone has taken the text after all."""
_DAY_S: Final = 86_400.0
_BEGINNING: Final = b"MESSAGE "


def is_text(item: Any) -> bool:
    """Whether an item of sip.delegated (else untrusted) is for the desk."""
    return (
        isinstance(item, list) and len(item) == 6 and isinstance(item[2], bytes) and item[2][:8] == _BEGINNING
    )


class MessageDesk:
    """Answers MESSAGEs, as a handler of the reception, and delivers what was kept. `now`: monotonic s, `at`: epoch s.

    Questions: messages.list: for whom, how many, since when, octets; messages.delete [user]: how many were forgotten.
    """

    def __init__(self, settings: Settings, requester: Requester, now: float, at: float) -> None:
        store = MessageStore(settings.messages_path)
        self.writings: Sequence[Writing] = (store.writing,)
        self.desk = Desk(store, settings.keep_messages_days * _DAY_S, now, at)
        self._requester = requester
        self._now = now

    def take(self, request: Request, at: float) -> Answer:
        """Answer a MESSAGE; within `answer`. ParseError."""
        verdict = self.desk.keep(
            request.message, request.user, bool(request.sender), request.status or 480, self._now, at
        )
        words = [("Warning", f'399 switchboard "{verdict.why}"')] if verdict.why else []
        return Answer(verdict.status, words, tag_of(request.message))

    def answer(self, reception: Reception, items: Sequence[Any], now: float, at: float) -> list[bytes]:
        """The answers to a round's texts, which are durable then."""
        self._now = now
        arrived = [item for item in items if item[5] == ARRIVED]
        waiting = [item for item in items if item[5] != ARRIVED]
        answers = self._taken(reception, waiting, now, at) if waiting else []
        for item in arrived:
            self._has_arrived(item, now)
        return list(filter(None, answers))

    def changed(self, records: bytes, start: int, now: float) -> None:
        """Bindings have changed (trusted; packed from there on): who has registered may be waited for."""
        if not self.desk.waits:
            return
        try:
            users = users_in(records[start:])
        except CodecError:
            return
        self.desk.registered((user for user, bindings in users.items() if bindings), now)

    def heard(self, body: object, now: float) -> None:
        """The body of a request.answered: what came of texts."""
        for item in body if isinstance(body, list) else ():
            match item:
                case [bytes(token), int(status), bytes(), bytes()] if token.startswith(TOKEN):
                    self.desk.answered(token, status, now)

    def unheard(self, token: bytes, now: float) -> None:
        """No router has said what came of a text."""
        self.desk.answered(token, 0, now)

    def next_deadline(self) -> float:
        """When `handle_timer` has something to do."""
        return self.desk.next_deadline()

    def handle_timer(self, now: float, at: float) -> None:
        """Ask routers to deliver what is due; forget what is over."""
        self.desk.handle_timer(now, at)
        for token, raw, user in self.desk.take_due(now):
            self._requester.ask(token, raw, now, user=user)

    def tell(self, question: str, body: Any, now: float) -> Any:
        """The answer to a question. LookupError, NotWritten."""
        match question, body:
            case "messages.list", [*users] if all(isinstance(user, str) for user in users):
                return [each for each in self.desk.listing() if not users or each[0] in users]
            case "messages.delete", [str(user)]:
                return self.desk.delete(user, now)
        raise LookupError(question)

    def stats(self) -> dict[str, float]:
        """Counters."""
        return self.desk.stats()

    def close(self) -> None:
        """Let go of the store."""
        self.desk.close()

    def _taken(self, reception: Reception, items: Sequence[Any], now: float, at: float) -> list[bytes | None]:
        reception.begin()
        try:
            with self.desk.batch():
                return [reception.take(item, now, at) for item in items]
        except NotWritten:
            reception.undo()
            return [reception.refuse(item, now) for item in items]

    def _has_arrived(self, item: Any, now: float) -> None:
        if flow_of(item, ITEM) is None or not item[1]:
            self.desk.counters["messages_unreadable"] += 1
        else:
            self.desk.arrived(Message(item[2], item[1]), item[4], now)
