"""ICMP errors: edge-rx reports each lost request to the router that sent it (RFC 3261 §18.4)."""

import math
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from switchboard.bus.outbox import Outbox
from switchboard.sip.dispatch import parse_quoted
from switchboard.transports.transport import Transport, Undelivered

ERRORS_A_ROUND: Final = 32
ERRORS_A_SECOND: Final = 5_000
"""Beyond, somebody makes them: they would take the room of datagrams in the kernel's buffer."""
DEAF_S: Final = 5.0
SUBJECT: Final = "sip.undeliverable"


class Undeliverable:
    """Reads the errors at `sockets` of `transport` and gathers those of a round. `outboxes`: one a router by number.

    They go behind what came before them, or not at all: a busy router notices the loss by its timers. So does
    everybody while there are too many: for DEAF_S, until `due_at` (monotonic s), the sockets tell none.
    """

    def __init__(
        self,
        transport: Transport,
        sockets: Sequence[socket.socket],
        outboxes: Sequence[Outbox],
        most_a_second: int = ERRORS_A_SECOND,
    ) -> None:
        self.due_at = math.inf
        self._transport = transport
        self._sockets = sockets
        self._outboxes = outboxes
        self.heir: Callable[[int], int | None] = lambda router: None  # noqa: ARG005
        """Who has the calls of a router that was declared dead."""
        self._most_a_second = most_a_second
        self._gathered: list[list[Any]] = [[] for _ in outboxes]
        self._has_news = False
        self._second = 0.0
        self._read = 0  # in this second
        self._told = self._ignored = self._dropped = self._floods = 0
        self._listen(True)

    def watch(self) -> dict[int, Callable[[float], None]]:
        """The sockets, where they have errors."""
        sockets = self._sockets if self._transport.has_errors else ()
        return {sock.fileno(): partial(self._drain, sock) for sock in sockets}

    def handle_timer(self, now: float) -> None:
        """Listen again, if it is time."""
        if now >= self.due_at:
            self.due_at = math.inf
            self._listen(True)

    def flush(self) -> None:
        """Cast what was gathered; to be called when the outboxes have been flushed."""
        if not self._has_news:
            return
        self._has_news = False
        for outbox, items in zip(self._outboxes, self._gathered, strict=True):
            if not items:
                continue
            if not outbox.waiting and outbox.peer.send(SUBJECT, items):
                self._told += len(items)
            else:
                self._dropped += len(items)
            items.clear()

    def stats(self) -> dict[str, float]:
        """Errors that a router was told, that concern no request of ours, that none took; and floods."""
        return {
            "undeliverable": self._told,
            "undeliverable_ignored": self._ignored,
            "undeliverable_dropped": self._dropped,
            "undeliverable_floods": self._floods,
        }

    def close(self) -> None:
        """Let the sockets be as those who only wait for datagrams expect them."""
        self._listen(False)

    def _listen(self, wanted: bool) -> None:
        for sock in self._sockets:
            self._transport.tell_errors(sock, wanted)

    def _drain(self, sock: socket.socket, now: float) -> None:
        """Take what waits, at most ERRORS_A_ROUND."""
        if now >= self._second + 1.0:
            self._second, self._read = now, 0
        for _ in range(ERRORS_A_ROUND):
            error = self._transport.receive_error(sock)
            if error is None:
                return
            self._read += 1
            self._take(error)
        if self._read > self._most_a_second:
            self._floods += 1
            self.due_at = now + DEAF_S
            self._listen(False)

    def _take(self, error: Undelivered) -> None:
        quoted = parse_quoted(error.sent) if error.is_lost else None
        if quoted is None:
            self._ignored += 1
        else:
            heir = self.heir(quoted.router)
            router = quoted.router % len(self._outboxes) if heir is None else heir
            self._has_news = True
            self._gathered[router].append([error.flow.pack(), error.sent])
