"""What the transaction layer and its user ask the outside to do: nothing else leaves the core."""

from ipaddress import ip_address
from typing import Any, NamedTuple

_new = tuple.__new__  # what a NamedTuple's own does, less a call

Fields = tuple[Any, ...]
"""A part of a record in the log: plain values. Transactions and branches are saved as two of them: what is
`fixed` from the beginning, and what is `changing`, in which the armed timers are the last but the client."""


class Peer(NamedTuple):
    """The far end of a datagram; hosts without brackets. `local`: our address facing it, "" for any."""

    host: str
    port: int
    local: str

    @property
    def hop(self) -> tuple[str, int]:
        """Address and port alone."""
        return self.host, self.port

    def is_at(self, host: str, port: int) -> bool:
        """Whether that is its address, however it is spelled."""
        return port == self.port and (host == self.host or _is_same(host, self.host))


def _is_same(host: str, other: str) -> bool:
    try:
        return ip_address(host) == ip_address(other)
    except ValueError:
        return False


class Reader(NamedTuple):
    """Who will read a response: tells the translator the language (docs/PHRASES.md)."""

    user: str
    accept_language: str


class SendRequest(NamedTuple):
    """Send `raw` to a next hop, as it is."""

    to: Peer
    raw: bytes


class SendResponse(NamedTuple):
    """Send the response `raw` back, by way of the translator."""

    to: Peer
    raw: bytes
    reader: Reader


class Turn:
    """One moment (`now`, monotonic s) and the commands that were decided in it, in order.

    Whatever the core is told, it is told with a turn; the service carries out what the turn then holds.
    """

    __slots__ = ("now", "requests", "responses", "touched")

    def __init__(self, now: float) -> None:
        self.now = now
        self.requests: list[SendRequest] = []
        self.responses: list[SendResponse] = []
        self.touched: dict[object, None] = {}

    def send_request(self, to: Peer, raw: bytes) -> None:
        """Have `raw` sent to the next hop `to`."""
        self.requests.append(_new(SendRequest, (to, raw)))

    def send_response(self, to: Peer, raw: bytes, reader: Reader) -> None:
        """Have the response `raw` sent back to `to`."""
        self.responses.append(_new(SendResponse, (to, raw, reader)))

    def touch(self, transaction: object) -> None:
        """Note that the state of `transaction` changes: it is written ahead of what this turn sends."""
        self.touched[transaction] = None
