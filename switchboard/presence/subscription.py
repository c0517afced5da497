"""One subscription: its dialog (RFC 6665 §4.4.1, RFC 3261 §12), and the NOTIFY that is written within it."""

from dataclasses import dataclass
from hashlib import blake2s
from math import inf
from typing import Any, Final
from urllib.parse import quote

from switchboard.core.own_requests import HERE
from switchboard.core.preprocess import DEFAULT_MAX_FORWARDS
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import TCP, TLS, WS, WSS, Flow
from switchboard.sip.uri import parse_uri

_TRANSPORTS: Final = {
    TCP: ";transport=tcp",
    TLS: ";transport=tls",
    WS: ";transport=ws",
    WSS: ";transport=wss",
}
_HERE: Final = HERE.decode()
RESERVED: Final = 64
"""CSeq numbers that one write to the store allows: the others are skipped by a successor."""
_DURABLE: Final = 19


@dataclass(slots=True)
class Subscription:
    """A watcher's dialog. What stands before `cseq` is durable.

    `tag`: ours, which names the subscription. `watcher`: a user of ours, "" for a stranger. `user`: who is watched, as
    `entity`. `remote` and `local`: the values of From and To of the SUBSCRIBE, with tags. `target`: the watcher's
    Contact. `flow`: packed, along which the last SUBSCRIBE came. `heard`: its CSeq number. `reserved`: the highest
    number that a NOTIFY may have. `payer`: whose subscriptions are counted together. `ends`: why it is over (RFC 6665
    §4.1.3), "" while it is not.
    """

    tag: str
    package: str
    event_id: str
    watcher: str
    user: str
    entity: str
    call_id: str
    remote_tag: str
    remote: str
    local: str
    target: str
    routes: list[str]
    flow: bytes
    heard: int
    reserved: int
    since_at: float
    expires_at: float
    payer: str
    ends: str = ""

    cseq: int = 0
    """Of the last NOTIFY."""
    sent: Any = None
    """The state that it told; None: unknown."""
    is_waiting: bool = False
    """Whether it has no final response yet."""
    has_told_end: bool = False
    """Whether the last NOTIFY was the very last one."""
    is_due: bool = False
    """Whether it is in the queue."""
    is_asked: bool = False
    """Whether the next NOTIFY goes out also without news."""
    free_at: float = 0.0
    """When the next one may go out."""
    ends_at: float = inf
    """When it is looked whether it is over."""
    failures: int = 0
    uses_binding: bool = False
    """The flow is gone: the watcher is reached as a user is."""

    def saved(self) -> list[Any]:
        """The durable part, as plain values."""
        return [getattr(self, name) for name in self.__slots__[:_DURABLE]]

    @classmethod
    def restore(cls, saved: list[Any]) -> "Subscription":
        """Return what `saved` was asked of: the numbers that were reserved may have been used."""
        subscription = cls(*saved)
        subscription.cseq = subscription.reserved
        return subscription

    def notify(self, body: bytes, content_type: str, at: float) -> bytes:
        """The NOTIFY with the number `cseq`, without Via."""
        event = f"{self.package};id={self.event_id}" if self.event_id else self.package
        lines = [
            f"NOTIFY {self.target} SIP/2.0",
            f"Max-Forwards: {DEFAULT_MAX_FORWARDS}",
            *(f"Route: {route}" for route in self.routes),
            f"From: {self.local}",
            f"To: {self.remote}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self.cseq} NOTIFY",
            f"Contact: <sip:{self.user_part}@{_HERE}{_TRANSPORTS.get(Flow.unpack(self.flow).transport, '')}>",
            f"Event: {event}",
            f"Subscription-State: {self._state(at)}",
            *([f"Content-Type: {content_type}"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + body

    @property
    def dialog(self) -> tuple[str, ...]:
        """By what its watcher knows it, also one who has not heard of our tag."""
        return self.call_id, self.remote_tag, self.package, self.event_id

    @property
    def token(self) -> bytes:
        """By which the answer to the last NOTIFY is known."""
        return f"{self.tag} {self.cseq}".encode()

    def _state(self, at: float) -> str:
        if self.ends:
            return f"terminated;reason={self.ends}"
        return f"active;expires={max(0, round(self.expires_at - at))}"

    @property
    def user_part(self) -> str:
        """Of the URI that is watched; where that has none, who is meant."""
        try:
            found = parse_uri(self.entity).user
        except ParseError:
            found = None
        return found or quote(self.user, safe="", errors="surrogateescape")


def identifier(*parts: str) -> str:
    """A short name, fit for an XML ID, of what has these parts."""
    octets = "\0".join(parts).encode("utf-8", "surrogateescape")
    return "d" + blake2s(octets, digest_size=8).hexdigest()
