"""What edge-rx does with the network's errors: tells the router whose request is lost (RFC 3261 §18.4)."""

import socket
from collections.abc import Sequence
from typing import Any, Final

from switchboard.bus.outbox import Outbox
from switchboard.bus.undelivered import Undelivered, receive_error
from switchboard.sip.quoted import parse_quoted

ERRORS_A_ROUND: Final = 32
SUBJECT: Final = "sip.undeliverable"


class Undeliverable:
    """Gathers the errors of a round. `outboxes`: one a router by number.

    They go behind what came before them, or not at all: who has much to do learns it from its timers.
    """

    def __init__(self, outboxes: Sequence[Outbox]) -> None:
        self._outboxes = outboxes
        self._gathered: list[list[Any]] = [[] for _ in outboxes]
        self._told = self._ignored = self._dropped = 0

    def drain(self, sock: socket.socket, now: float) -> None:  # noqa: ARG002
        """Take what waits, at most ERRORS_A_ROUND."""
        for _ in range(ERRORS_A_ROUND):
            error = receive_error(sock)
            if error is None:
                break
            self._take(error)

    def flush(self) -> None:
        """Cast what was gathered; to be called when the outboxes have been flushed."""
        for outbox, items in zip(self._outboxes, self._gathered, strict=True):
            if not items:
                continue
            if not outbox.waiting and outbox.peer.send(SUBJECT, items):
                self._told += len(items)
            else:
                self._dropped += len(items)
            items.clear()

    def stats(self) -> dict[str, float]:
        """Errors that a router was told, that concern no request of ours, that a router did not take."""
        return {
            "undeliverable": self._told,
            "undeliverable_ignored": self._ignored,
            "undeliverable_dropped": self._dropped,
        }

    def _take(self, error: Undelivered) -> None:
        quoted = parse_quoted(error.sent) if error.is_lost else None
        if quoted is None:
            self._ignored += 1
        else:
            router = quoted.router % len(self._outboxes)
            self._gathered[router].append([error.host, error.port, error.sent])
