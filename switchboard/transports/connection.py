"""One connection of an edge-stream: what is known of it, and its limits of time."""

import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from switchboard.sip.flow import Flow
from switchboard.transports.channel import Channel

Due = tuple[Callable[[], int], int]
"""How far a receiver of messages is, and how far it has to be."""

Place = tuple[int, str, int, str]
"""Transport, address and port; and in TLS the name that has been proved."""


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Durations in s. `half`: for the rest of a message; `stalled`: in which a peer reads nothing that waits for it;
    `dial`: for a connection to be made; `silent`: in which a stranger has to send a message; `stranger`, `known`:
    without an octet.
    """

    half_s: float = 30.0
    stalled_s: float = 30.0
    dial_s: float = 4.0
    silent_s: float = 30.0
    stranger_s: float = 180.0
    known_s: float = 43_200.0

    def is_too_long(self, is_stranger: bool, silent_s: float, has_spoken: bool = True) -> bool:
        """Whether somebody who has sent a message, or not, may not be silent so long."""
        if not is_stranger:
            return silent_s > self.known_s
        return silent_s > (self.stranger_s if has_spoken else self.silent_s)


class Connection:
    """One of them. Instants are monotonic s, `since_at` epoch s; places count octets from the first."""

    __slots__ = (
        "backlog",
        "base",
        "channel",
        "consumed",
        "due",
        "end",
        "fed",
        "flow",
        "given",
        "has_ended",
        "heard_at",
        "is_stranger",
        "midway_since",
        "noted",
        "passed",
        "place",
        "received",
        "recent",
        "ring",
        "serial",
        "since_at",
        "slot",
        "sock",
        "stalled_since",
        "user",
        "written",
    )

    def __init__(
        self, serial: bytes, sock: socket.socket, flow: Flow, channel: Channel, since_at: float
    ) -> None:
        self.serial = serial
        self.sock = sock
        self.flow = flow
        self.channel = channel
        self.since_at = since_at
        self.heard_at = time.monotonic()
        self.is_stranger = True
        self.place: Place | None = None
        """For whom we have made it; None: it was accepted, or made by a predecessor."""
        self.user = ""
        self.received = 0
        """Messages that came."""
        self.consumed = self.fed = self.passed = 0
        """Input: the kernel has given up what is before `consumed`; the channel has got `fed` octets more; it has
        nothing to say any more about what is before `passed`."""
        self.due: deque[tuple[int, Sequence[Due], bytes]] | None = None
        """Places up to which input may be consumed, when, and what a successor needs to read on from there."""
        self.base = self.written = self.end = 0
        """Output: see StreamTable. `written`: how far the kernel has accepted it."""
        self.ring: int | None = None
        self.slot: int | None = None
        """Where the states of its channel are, if that has any. `noted`: that of writing, the last time."""
        self.noted = b""
        self.given = 0
        """The kernel's count at place 0 of the input."""
        self.stalled_since = self.midway_since = 0.0
        self.has_ended = False
        """Whether the peer will send nothing more."""
        self.backlog: list[bytes] | None = None
        """While it is being made: the messages that wait for it."""
        self.recent: list[tuple[float, bytes]] | None = None

    @property
    def output_end(self) -> int:
        """The place behind all of its output."""
        return self.written if self.ring is None else self.end

    @property
    def transport(self) -> int:
        """As in its flow."""
        return self.flow.transport
