"""What the core asks the outside to do: to send, to resolve names, to tell the journal. Nothing else leaves it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from switchboard.media.commands import Ask
from switchboard.sip.flow import UDP, Flow

_new = tuple.__new__  # what a NamedTuple's own does, less a call

Fields = tuple[Any, ...]
"""A part of a record in the log: plain values. Transactions and branches are saved as two of them: what is
`fixed` from the beginning, and what is `changing`, in which the armed timers are the last but the client."""


class Reader(NamedTuple):
    """Who will read a response: tells the translator the language (docs/PHRASES.md)."""

    user: str
    accept_language: str


class SendRequest(NamedTuple):
    """Send `raw` to a next hop, as it is."""

    to: Flow
    raw: bytes


class SendResponse(NamedTuple):
    """Send the response `raw` back, by way of the translator."""

    to: Flow
    raw: bytes
    reader: Reader


class TransactionEffects:
    """One moment (`now`, monotonic s) and the commands that were decided in it, in order.

    Whatever the core is told, it is told with its effects; the worker carries out what these then hold.
    """

    __slots__ = ("now", "requests", "responses", "touched")

    def __init__(self, now: float) -> None:
        self.now = now
        self.requests: list[SendRequest] = []
        self.responses: list[SendResponse] = []
        self.touched: dict[object, None] = {}

    def send_request(self, to: Flow, raw: bytes) -> None:
        """Have `raw` sent to the next hop `to`."""
        self.requests.append(_new(SendRequest, (to, raw)))

    def send_response(self, to: Flow, raw: bytes, reader: Reader) -> None:
        """Have the response `raw` sent back to `to`."""
        self.responses.append(_new(SendResponse, (to, raw, reader)))

    def touch(self, transaction: object) -> None:
        """Note that the state of `transaction` changes: it is written ahead of what is sent."""
        self.touched[transaction] = None


class Lookup(NamedTuple):
    """A host to resolve as RFC 3263 §4 says; no port means that SRV records may choose it.

    `is_named`: the URI names the transport. Otherwise NAPTR and SRV records may choose that, too (§4.1).
    """

    host: str
    port: int | None
    transport: int = UDP
    is_named: bool = False

    def saved(self) -> Fields:
        """What makes this look-up of again; as it always was if the transport is not named."""
        return self if self.is_named else self[:3]


class NextHop(NamedTuple):
    """A place to which a name leads: an IP address, a port, and a transport."""

    host: str
    port: int
    transport: int = UDP


class Question(NamedTuple):
    """A look-up, and its asker: the authenticated user, else the source address of the request."""

    lookup: Lookup
    asker: str


class Delegated(NamedTuple):
    """A request that the presence worker answers, and how it came.

    `scanned`: its offset index. `sender`: the user who has proved to send it, or is believed to; "" for nobody of ours.
    `user`: whom it is for. `status`: what its sender would hear of us, 0 for nothing; of a MESSAGE 200 if it arrived.
    """

    source: Flow
    scanned: bytes
    raw: bytes
    sender: str
    user: str
    status: int = 0


class Led(NamedTuple):
    """By rules, a call leads to these users and groups ("group:NAME") now; or one has answered it. For lamps."""

    call_id: str
    users: tuple[str, ...]


class Dialled(NamedTuple):
    """An INVITE by which `user` changes the own rules (`star_codes.py`), and how it came; the registrar answers it.

    `scanned`: its offset index. `changes`: of the rules, by field.
    """

    source: Flow
    scanned: bytes
    raw: bytes
    user: str
    changes: Mapping[str, Any]


class CallEvent(NamedTuple):
    """Something that happened to a call (docs/BUS.md, `call.happened`)."""

    kind: str
    call_id: str
    from_tag: str
    at: float
    details: tuple[Any, ...] = ()


class ProxyEffects(TransactionEffects):
    """What the proxy has decided. `at` is the moment by the wall clock (epoch s): bindings and records need it.

    `asks`: what media engines are asked.
    """

    __slots__ = ("asks", "at", "delegated", "dialled", "events", "led", "lookups")

    def __init__(self, now: float, *, at: float) -> None:
        TransactionEffects.__init__(self, now)
        self.at = at
        self.asks: list[Ask] = []
        self.lookups: list[Question] = []
        self.events: list[CallEvent] = []
        self.delegated: list[Delegated] = []
        self.led: list[Led] = []
        self.dialled: list[Dialled] = []
