"""What the edge needs of a transport (RFC 3261 §18).

A further transport is a class that offers this, as `Udp` does: the edge's parent opens the sockets, its workers
inherit them. The workers behind the edge know flows only. A phrasing puts phrases into what is sent.
"""

import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgpack  # type: ignore[import-untyped]

from switchboard.bus.frames import SENT, TRANSLATED, flow_of, pack_sent
from switchboard.phrases.phrases import Phrases
from switchboard.sip.flow import Flow

if TYPE_CHECKING:
    from switchboard._native.wire import RunSender

CLASSES = 7
"""Of responses, by the first digit of their code; 0 is none."""


class PhrasingInPython:
    """The reference of `Phrasing`. It knows `phrases` as they are now; other phrases need another one."""

    def __init__(self, phrases: Phrases) -> None:
        self._phrases = phrases

    def rewrite(self, octets: bytes, start: int, count: int, by_class: list[int]) -> bytes | None:
        """Return as packed items of `sip.send` the `count` items that stand at `start` and end with the octets.

        Responses are counted `by_class`. None, and nothing is counted, if there is anything else.
        """
        unpacker = msgpack.Unpacker(unicode_errors="surrogateescape", max_buffer_size=len(octets) + 1)
        unpacker.feed(octets[start:])
        try:
            items = [unpacker.unpack() for _ in range(count)]
        except (ValueError, TypeError, OverflowError, msgpack.UnpackException):
            return None
        if start + unpacker.tell() != len(octets) or not all(map(_is_item, items)):
            return None
        return b"".join([self._rewrite(*item, by_class=by_class) for item in items])

    def _rewrite(self, flow: bytes, raw: bytes, *reader: str, by_class: list[int]) -> bytes:
        if not reader:
            return pack_sent(flow, raw)
        digit = raw[8:9]
        by_class[int(digit) if b"1" <= digit <= b"6" else 0] += 1
        return pack_sent(flow, self._phrases.translate(raw, *reader))


def _is_item(item: object) -> bool:
    return flow_of(item, SENT) is not None or flow_of(item, TRANSLATED) is not None


try:
    from switchboard._native.wire import Phrasing as Phrasing
except ImportError:
    Phrasing = PhrasingInPython  # type: ignore[assignment, misc]


Received = tuple[bytes, Flow]
"""A message and how it came."""


class Undelivered(NamedTuple):
    """Where a message was sent, and as much of it as the error quotes.

    `is_lost`: it will not arrive (RFC 3261 §18.4); False for what says nothing of that, such as its size.
    It may be forged by anybody who can send us a packet.
    """

    flow: Flow
    sent: bytes
    is_lost: bool


class SocketSender(Protocol):
    """Sends through the sockets that it was made with."""

    batches: "RunSender | None"
    """Compiled code that sends whole runs as `send_run` does."""

    @property
    def retried(self) -> int:
        """Messages that left at a further try."""

    def send(self, data: bytes, flow: Flow) -> bool:
        """Send one; False: it has not left."""

    def send_items(self, frame: bytes, start: int) -> tuple[int, int] | None:
        """Send the packed list of items of `sip.send` at `start`. Returns how many have left and how many have not.

        None, with nothing sent: this has to be unpacked and sent one by one, or does not leave here.
        """

    def send_run(
        self, count: int, items: bytes, phrasing: Phrasing, by_class: list[int]
    ) -> tuple[int, int] | None:
        """Send `count` packed items of `sip.send` and `sip.translate`, as `send_items` does.

        Responses say what `phrasing` has for their readers, and are counted `by_class`.
        """


class Transport(Protocol):
    """Sockets, messages out and in, and what the network says of those that it could not deliver."""

    number: int
    """In flows."""
    has_errors: bool
    """Whether the network's errors can be read on this machine."""

    def bind_sockets(self, host: str, port: int) -> list[socket.socket]:
        """Open what listens at `host` ("": everywhere). BindError."""

    def inherited_sockets(self) -> list[socket.socket]:
        """What the parent of this worker has opened."""

    def receive(self, sock: socket.socket) -> Received | None:
        """Return the next message that waits, None if there is none. OSError."""

    def make_sender(
        self, sockets: Iterable[socket.socket], advertised: str = "", only_from: bytes = b""
    ) -> SocketSender:
        """Return what sends through these. `advertised`: an address of ours that the machine does not have.

        `only_from`: our addresses, as in packed flows, from which runs leave here; b"": from all of them.
        """

    def tell_errors(self, sock: socket.socket, wanted: bool) -> None:
        """Whether errors of the network wait at `sock` for `receive_error`."""

    def receive_error(self, sock: socket.socket) -> Undelivered | None:
        """Return the next error that waits, None if there is none."""
