"""The registrar's server transactions (RFC 3261 §17.2.2): a repeated REGISTER gets the response that was sent."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

from switchboard.core.transaction_key import server_key
from switchboard.registrar.rules import Registrar
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.respond import response_address

T = TypeVar("T")


class Answered(Generic[T]):
    """Answers by transaction, each for `lifetime_s` seconds (64*T1, timer J).

    Of more than `keep` the oldest go. `now`: monotonic seconds, never falling.
    """

    def __init__(self, lifetime_s: float, keep: int = 20_000) -> None:
        self._lifetime_s = lifetime_s
        self._keep = keep
        self._answers: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def add(self, transaction: Hashable, answer: T, now: float) -> None:
        """Keep the answer to the request of `transaction`."""
        self._answers[transaction] = (now + self._lifetime_s, answer)
        self._answers.move_to_end(transaction)
        if len(self._answers) > self._keep:
            self._answers.popitem(last=False)

    def find(self, transaction: Hashable, now: float) -> T | None:
        """The answer that was given, None if there was none or its time is over."""
        until, answer = self._answers.get(transaction, (now, None))
        return answer if until > now else None

    def purge(self, now: float) -> None:
        """Forget the answers whose time is over."""
        while self._answers and next(iter(self._answers.values()))[0] <= now:
            self._answers.popitem(last=False)


class Reply(NamedTuple):
    """A response, where it goes, and who will read its phrase."""

    target: tuple[str, int]
    response: bytes
    user: str
    accept_language: str


class RegisterTransactions:
    """Stands before the registrar. `lifetime_s`: how long a retransmission may come (64*T1, timer J)."""

    def __init__(self, registrar: Registrar, lifetime_s: float) -> None:
        self.replied = self.retransmissions = self.unanswerable = 0
        self._registrar = registrar
        self._answered: Answered[Reply] = Answered(lifetime_s)

    def handle(self, request: Message, source: tuple[str, int], now: float, now_at: float) -> Reply | None:
        """The reply to a REGISTER from `source`; None if it gets none.

        `now`: monotonic seconds, `now_at`: epoch seconds.
        """
        try:
            via = request.via
            target = response_address(request, source)
            transaction = server_key(request, via)
        except ParseError as error:
            self.unanswerable += 1
            return self._reject(request, error, source, now_at)
        if reply := self._answered.find(transaction, now):
            self.retransmissions += 1
            return reply
        answer = self._registrar.process(request, source, now_at)
        if not answer.response:
            return None
        reply = Reply(target, answer.response, answer.user, request.get(Header.ACCEPT_LANGUAGE) or "")
        if not answer.is_challenge:  # anybody may cause many
            self._answered.add(transaction, reply, now)
        self.replied += 1
        return reply

    def _reject(
        self, request: Message, error: ParseError, source: tuple[str, int], now_at: float
    ) -> Reply | None:
        """What its top Via, or CSeq, does not let anybody repeat or match is answered without state."""
        rejected = self._registrar.answers.reject(request.raw, error, source, now_at)
        return Reply(rejected[1], rejected[0], "", "") if rejected else None

    def purge(self, now: float) -> None:
        """Forget the transactions whose time is over."""
        self._answered.purge(now)
