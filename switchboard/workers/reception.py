"""The registrar's way from frames of sip.received to the items that answer them."""

from collections.abc import Iterable, Sequence, Set
from typing import Any, Final, NamedTuple

from switchboard.bus import frames
from switchboard.bus.frames import RECEIVED, flow_of, pack_translated
from switchboard.codec import CodecError, unpack
from switchboard.core.overload import read_stamp
from switchboard.registrar.rules import Registrar
from switchboard.registrar.transactions import RegisterTransactions, Reply
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import UDP, Flow
from switchboard.sip.message import Message
from switchboard.sip.uri import SipUri

try:
    from switchboard._native.registrar import Reception as Reception
except ImportError:
    Reception = None  # type: ignore[assignment, misc]

RECEIVED_HEAD: Final = frames.head("sip.received")
TOLD_AGAIN_S: Final = 60.0
"""A source in use is reported again after this time: the edge may have forgotten it, or be a new process."""
MOST_TOLD: Final = 20_000
_OK = b"SIP/2.0 200 "


class ReceptionInPython:
    """Gives REGISTERs to the registrar, each within the batch that its caller has opened.

    `lifetime_s`: 64*T1. `now`: monotonic seconds, `now_at`: epoch seconds.
    """

    def __init__(self, registrar: Registrar, lifetime_s: float) -> None:
        self._transactions = RegisterTransactions(registrar, lifetime_s, self._form)
        self.answered = self._transactions.answered
        self._bad_items = 0
        self._stamps: dict[int, float] = {}
        self._told: dict[bytes, float] = {}
        self._sources: list[bytes] = []
        self._now = 0.0

    def take(self, frame: bytes, start: int, now: float, now_at: float) -> list[bytes]:
        """Return the packed items of sip.translate that answer those in the packed list at `start`, in order.

        CodecError if there is no list.
        """
        items = unpack(frame[start:])
        if not isinstance(items, list):
            raise CodecError("no list")
        answers = []
        for item in items:
            if isinstance(item, float):
                self._stamps[read_stamp(item)[0]] = item
            elif answer := self.answer(item, now, now_at):
                answers.append(answer)
        return answers

    def answer(self, item: Any, now: float, now_at: float) -> bytes | None:
        """Return the answer to one item; None if it gets none."""
        flow = flow_of(item, RECEIVED)
        if flow is None or not item[1]:
            self._bad_items += 1
            return None
        self._now = now
        return self._transactions.handle(Message(item[2], item[1]), flow, now, now_at)

    def note_registered(self, flow: bytes, now: float) -> float:
        """A REGISTER along the packed flow got a 200: the edge is to hear of its source, if that is news.

        Returns until when it is none.
        """
        until = self._told.get(flow, now)
        if until > now:
            return until
        if len(self._told) >= MOST_TOLD:
            self._told.clear()
        until = self._told[flow] = now + TOLD_AGAIN_S
        self._sources.append(flow)
        return until

    def begin(self) -> None:
        """From now on `undo` can take back what is answered."""
        self.answered.begin()

    def undo(self) -> None:
        """The answers since `begin` were never sent."""
        self.answered.undo()
        self.forget_registered()

    def forget_registered(self) -> None:
        """The edge is to hear of every source anew."""
        self._told.clear()
        self._sources.clear()

    def take_sources(self) -> list[bytes]:
        """The packed flows from which somebody has registered, which the edge is to hear of."""
        taken, self._sources = self._sources, []
        return taken

    def take_stamp(self) -> float | None:
        """When what was taken last had been read, of each edge in its turn; None if that was all."""
        return self._stamps.popitem()[1] if self._stamps else None

    def purge(self, now: float) -> None:
        """Forget the transactions whose time is over."""
        self._transactions.purge(now)

    def stats(self) -> dict[str, float]:
        """Counters: replies, retransmissions, useless Vias, bad items."""
        return {
            "replied": self._transactions.replied,
            "retransmissions": self._transactions.retransmissions,
            "unanswerable": self._transactions.unanswerable,
            "bad_items": self._bad_items,
        }

    def _form(self, flow: Flow, reply: Reply) -> bytes:
        if flow.transport == UDP and reply.response.startswith(_OK):  # edge-streams see for themselves
            self.note_registered(flow.pack(), self._now)
        to = flow.towards(reply.target).pack()
        return pack_translated(to, reply.response, reply.user, reply.accept_language)


def make_reception(registrar: Registrar, lifetime_s: float) -> "ReceptionInPython | Reception":
    """The reception of a registrar; passwords are checked in Python, and bindings keep an edge of several there."""
    in_python = ReceptionInPython(registrar, lifetime_s)
    if Reception is None or registrar.asks_for_passwords or registrar.policy.keeps_local:
        return in_python
    return Reception(in_python, registrar)


class Rest(NamedTuple):
    """What is left of a batch when somebody else was faster with some users.

    `answers`: the items for all others. `frame`: of the REGISTERs that have to be looked at again. `flows`: theirs.
    """

    answers: list[bytes]
    frame: bytes
    flows: Set[bytes]


def rest_of(taken: Sequence[bytes], answers: Iterable[bytes], users: Set[str]) -> Rest:
    """Divide what the frames of a batch hold, and the answers to it, by whether they concern `users`."""
    items = [item for frame in taken for item in _items(frame) if _user_of(item) in users]
    kept = [answer for answer in answers if unpack(answer)[2] not in users]
    return Rest(kept, frames.pack("sip.received", items), {item[0] for item in items})


def _items(frame: bytes) -> list[Any]:
    try:
        return [item for item in unpack(frame[len(RECEIVED_HEAD) :]) if isinstance(item, list)]
    except CodecError:
        return []


def _user_of(item: Any) -> str | None:
    """Whose REGISTER that is; None for what has none."""
    if flow_of(item, RECEIVED) is None or not item[1]:
        return None
    try:
        return SipUri.parse(Message(item[2], item[1]).to_uri).username
    except ParseError:
        return None
