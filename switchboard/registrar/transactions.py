"""The registrar's server transactions (RFC 3261 §17.2.2): a repeated REGISTER gets the response that was sent.

Theory. A REGISTER gets no provisional response, so only its final response is kept, for 64 T1 (timer J).
All answers have the same lifetime, so the order of insertion is the order of their ends. Answers that were added
since `begin` can be undone, because a batch that could not be committed was never sent.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from switchboard.codec import pack
from switchboard.registrar.rules import Registrar
from switchboard.sip.dispatch import server_key
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import Flow, is_reliable
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.respond import response_address

T = TypeVar("T")


class AnsweredInPython:
    """Answers by transaction, each for `lifetime_s` seconds (64*T1, timer J).

    Of more than `keep` the oldest go. `now`: monotonic seconds, never falling.
    """

    def __init__(self, lifetime_s: float, keep: int = 20_000) -> None:
        self._lifetime_s = lifetime_s
        self._keep = keep
        self._answers: OrderedDict[bytes, tuple[float, Any]] = OrderedDict()
        self._added: list[bytes] = []

    def __len__(self) -> int:
        return len(self._answers)

    def add(self, transaction: bytes, answer: Any, now: float) -> None:
        """Keep the answer to the request of `transaction`, in place of another."""
        self._added.append(transaction)
        self._answers[transaction] = (now + self._lifetime_s, answer)
        self._answers.move_to_end(transaction)
        if len(self._answers) > self._keep:
            self._answers.popitem(last=False)

    def find(self, transaction: bytes, now: float) -> Any:
        """The answer that was given, None if there was none or its time is over."""
        until, answer = self._answers.get(transaction, (now, None))
        return answer if until > now else None

    def begin(self) -> None:
        """From now on `undo` can take back what is added."""
        self._added.clear()

    def undo(self) -> None:
        """Forget what was added since `begin`: it was never sent."""
        for transaction in self._added:
            self._answers.pop(transaction, None)
        self._added.clear()

    def purge(self, now: float) -> None:
        """Forget the answers whose time is over."""
        while self._answers and next(iter(self._answers.values()))[0] <= now:
            self._answers.popitem(last=False)


try:
    from switchboard._native.registrar import Answered as Answered
except ImportError:
    Answered = AnsweredInPython  # type: ignore[assignment, misc]


class Reply(NamedTuple):
    """A response, where it goes, and who will read its phrase."""

    target: tuple[str, int]
    response: bytes
    user: str
    accept_language: str


class RegisterTransactions(Generic[T]):
    """Stands before the registrar. `lifetime_s`: how long a retransmission may come (64*T1, timer J).

    `form` makes of a flow and the reply to what came along it what is kept and handed out.
    """

    def __init__(self, registrar: Registrar, lifetime_s: float, form: Callable[[Flow, Reply], T]) -> None:
        self.replied = self.retransmissions = self.unanswerable = 0
        self.answered = Answered(lifetime_s)
        self._registrar = registrar
        self._form = form

    def handle(self, request: Message, flow: Flow, now: float, now_at: float) -> T | None:
        """The reply to a REGISTER that came along `flow`; None if it gets none.

        `now`: monotonic seconds, `now_at`: epoch seconds.
        """
        try:
            via = request.via
            target = response_address(request, flow.hop)
            transaction = pack(server_key(request, via)) + flow.connection
        except ParseError as error:
            self.unanswerable += 1
            return self._reject(request, error, flow, now_at)
        if given := self.answered.find(transaction, now):
            self.retransmissions += 1
            known: T = given
            return known
        connection, local = (flow.pack(), "") if is_reliable(flow.transport) else (b"", flow.local)
        answer = self._registrar.process(request, flow.hop, now_at, connection, local)
        if not answer.response:
            return None
        accept_language = request.get(Header.ACCEPT_LANGUAGE) or ""
        reply = self._form(flow, Reply(target, answer.response, answer.user, accept_language))
        if not answer.is_challenge:  # anybody may cause many
            self.answered.add(transaction, reply, now)
        self.replied += 1
        return reply

    def _reject(self, request: Message, error: ParseError, flow: Flow, now_at: float) -> T | None:
        """What its top Via, or CSeq, does not let anybody repeat or match is answered without state."""
        rejected = self._registrar.answers.reject(request.raw, error, flow.hop, now_at)
        return self._form(flow, Reply(rejected[1], rejected[0], "", "")) if rejected else None

    def purge(self, now: float) -> None:
        """Forget the transactions whose time is over."""
        self.answered.purge(now)
