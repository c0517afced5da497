"""The way from an item of sip.delegated to the item of sip.translate that answers it (docs/BUS.md).

Theory. The router has authenticated the request and forgotten it, so a repeated request comes here again. It gets the
answer that was given before, for 64 T1 (timer J of RFC 3261 §17.2.2). A round is a batch: what its requests change is
committed before their answers leave. Answers to a batch that could not be committed are taken back, and its requests
are answered with 503, which nobody repeats from here.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from switchboard.bus.frames import flow_of, pack_translated
from switchboard.codec import pack
from switchboard.core.delegation import TAG
from switchboard.core.preprocess import check_syntax
from switchboard.registrar.transactions import Answered
from switchboard.sip.dispatch import server_key
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import Flow
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.respond import build_response, received_via, response_address, warning_of

DELEGATED: Final = "sip.delegated"
ITEM: Final = (bytes, bytes, bytes, str, str, int)
PACKAGES: Final = ("presence", "dialog", "reg")
"""Packages of which the worker has the state, as Allow-Events tells them."""
WANTED_S: Final = 5.0
"""A router tells of calls for so long after each `calls.wanted`."""
_ENDS_HERE: Final = ("SUBSCRIBE", "PUBLISH")
RETRY_AFTER: Final = ("Retry-After", "5")


class Answer(NamedTuple):
    """A final response. `to_tag`: of the dialog that it makes; else one is made up."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    to_tag: str = ""


class Refused(Exception):
    """Ends the processing of a request with this answer."""

    def __init__(self, status: int, *headers: tuple[str, str]) -> None:
        super().__init__(status)
        self.answer = Answer(status, headers)


@dataclass(frozen=True, slots=True)
class Request:
    """A request that a router has handed over.

    `flow`: along which it came. `sender`: the user who has proved to send it; "" for nobody of ours. `user`: for whom
    it is. `status`: what the sender would hear of us without the worker; 0 for nothing.
    """

    message: Message
    flow: Flow
    sender: str
    user: str
    status: int = 0


class Handler(Protocol):
    """Answers the requests of one method."""

    def take(self, request: Request, at: float) -> Answer:
        """Return the answer. `Refused`, `ParseError`. `at`: epoch s."""


class Reception:
    """Gives each request to the handler of its method. `lifetime_s`: 64*T1. `now`: monotonic s, `at`: epoch s."""

    def __init__(self, handlers: Mapping[str, Handler], lifetime_s: float) -> None:
        self.answered = Answered(lifetime_s)
        self.bad_items = self.retransmissions = self.unanswerable = 0
        self.by_status: dict[int, int] = {}
        self._handlers = handlers

    def begin(self) -> None:
        """A batch begins, which `undo` can take back."""
        self.answered.begin()

    def undo(self) -> None:
        """The answers since `begin` were never sent."""
        self.answered.undo()

    def take(self, item: Any, now: float, at: float) -> bytes | None:
        """Return the packed item of sip.translate that answers this one; None if it gets no answer."""
        return self._answer(item, now, lambda request: self._handle(request, at))

    def refuse(self, item: Any, now: float) -> bytes | None:
        """The same while nothing can be written. Nothing is remembered."""
        self.begin()
        answer = self._answer(item, now, lambda _: Answer(503, (RETRY_AFTER,)))
        self.undo()
        return answer

    def purge(self, now: float) -> None:
        """Forget the answers whose time is over."""
        self.answered.purge(now)

    def stats(self) -> dict[str, float]:
        """Counters."""
        by_status = {f"answered_{status}": count for status, count in self.by_status.items()}
        return {
            **by_status,
            "bad_items": self.bad_items,
            "retransmissions": self.retransmissions,
            "unanswerable": self.unanswerable,
        }

    def _answer(self, item: Any, now: float, handle: "_Handle") -> bytes | None:
        request = _request_of(item)
        if request is None:
            self.bad_items += 1
            return None
        message, flow = request.message, request.flow
        try:
            to = flow.towards(response_address(message, flow.hop)).pack()
            transaction = pack(server_key(message, message.via)) + flow.connection
        except ParseError:
            self.unanswerable += 1
            return None
        known: bytes | None = self.answered.find(transaction, now)
        if known is not None:
            self.retransmissions += 1
            return known
        reply = self._pack(to, request, handle(request))
        self.answered.add(transaction, reply, now)
        return reply

    def _handle(self, request: Request, at: float) -> Answer:
        handler = self._handlers.get(request.message.method)
        if handler is None:
            return Answer(405, (("Allow", ", ".join(self._handlers)),))
        try:
            check_syntax(request.message)
            _check_require(request.message)
            return handler.take(request, at)
        except Refused as refused:
            return refused.answer
        except ParseError as error:
            return Answer(error.status, (("Warning", warning_of(error)),))

    def _pack(self, to: bytes, request: Request, answer: Answer) -> bytes:
        self.by_status[answer.status] = self.by_status.get(answer.status, 0) + 1
        message = request.message
        via = received_via(message, request.flow.hop)
        raw = build_response(message, answer.status, "", answer.to_tag or make_tag(), answer.headers, via)
        language = message.get(Header.ACCEPT_LANGUAGE) or ""
        return pack_translated(to, raw, request.sender, language)


def _check_require(message: Message) -> None:
    """Refused (RFC 3261 §8.2.2.3): no extension is known here. A text may ask for one of its phone."""
    if message.method in _ENDS_HERE and (required := message.values(Header.REQUIRE)):
        raise Refused(420, ("Unsupported", ", ".join(required)))


class _Handle(Protocol):
    def __call__(self, request: Request, /) -> Answer: ...


def make_tag() -> str:
    """A tag of our side (RFC 3261 §19.3), by which routers know our dialogs."""
    return f"{TAG}{secrets.token_hex(8)}"


def _request_of(item: Any) -> Request | None:
    flow = flow_of(item, ITEM)
    if flow is None or not item[1]:
        return None
    return Request(Message(item[2], item[1]), flow, *item[3:])
