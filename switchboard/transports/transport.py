"""What the edge needs of a transport (RFC 3261 §18).

A further transport is a class that offers this, as `Udp` does: the edge's parent opens the sockets, its workers
inherit them. Whoever is behind the edge knows flows only.
"""

import socket
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from switchboard.sip.flow import Flow
from switchboard.transports.phrasing import Phrasing

Received = tuple[bytes, Flow]
"""A message and how it came."""


class Undelivered(NamedTuple):
    """Where a message was sent, and as much of it as the error quotes.

    `is_lost`: it will not arrive (RFC 3261 §18.4); False for what says nothing of that, such as its size.
    Anybody who can send us a packet can have made it up.
    """

    flow: Flow
    sent: bytes
    is_lost: bool


class SocketSender(Protocol):
    """Sends through the sockets that it was made with."""

    @property
    def retried(self) -> int:
        """Messages that left at a further try."""

    def send(self, data: bytes, flow: Flow) -> bool:
        """Send one; False: it has not left."""

    def send_items(self, frame: bytes, start: int) -> tuple[int, int] | None:
        """Send the packed list of items of `sip.send` at `start`. Returns how many have left and how many have not.

        None, with nothing sent: this has to be unpacked and sent one by one.
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

    def make_sender(self, sockets: Iterable[socket.socket]) -> SocketSender:
        """Return what sends through these."""

    def tell_errors(self, sock: socket.socket, wanted: bool) -> None:
        """Whether errors of the network wait at `sock` for `receive_error`."""

    def receive_error(self, sock: socket.socket) -> Undelivered | None:
        """Return the next error that waits, None if there is none."""
