"""What stands between a connection's octets and SIP messages: framing, a WebSocket, TLS, or one inside another.

A channel is sans I/O: whoever owns the connection feeds it what was read, and writes what it returns. `pending` says
which of the octets belong to nothing that was returned yet. An owner that consumes all the others from the kernel can
be replaced at any time: the channel of its successor is fed with the pending octets again.
"""

from collections.abc import Sequence
from typing import Protocol, cast


class ChannelError(Exception):
    """The peer broke the rules of the channel, which can be read no further; the connection has to be closed.

    `reason`: a phrase for a log, or for a status line. `close_with`: octets to write first. `messages`: those that were
    whole before.
    `refused`: the head of the message that broke the rules, without the length that it claims, to be answered with
    `status` if it is a request.
    """

    def __init__(
        self,
        reason: str,
        close_with: bytes = b"",
        messages: Sequence[bytes] = (),
        refused: bytes = b"",
        status: int = 400,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.close_with = close_with
        self.messages = list(messages)
        self.refused = refused
        self.status = status


class ChannelClosed(ChannelError):
    """The peer has said goodbye, as the rules want it."""


class Channel(Protocol):
    """One connection."""

    __slots__ = ()

    @property
    def pending(self) -> bytes:
        """The octets that were fed and belong to a handshake, ping or message whose end has not come."""

    @property
    def reading(self) -> bytes:
        """What a successor needs besides, to read on from where `pending` begins; b"": nothing, or it cannot."""

    @property
    def writing(self) -> bytes:
        """What a successor needs to write behind what was written; b"": nothing, or it cannot."""

    @property
    def is_midway(self) -> bool:
        """Whether the peer owes the rest of something; an owner waits for that a limited time."""

    def feed(self, octets: bytes) -> list[bytes]:
        """Take octets of the peer (untrusted); return the SIP messages that are whole now. ChannelError."""

    def wrap(self, message: bytes) -> bytes:
        """Return the octets in which a SIP message of ours travels."""

    def take_output(self) -> bytes:
        """Return what the channel wants to say itself since the last call: pongs, answers of a handshake."""

    def farewell(self, reason: str, /) -> bytes:
        """Return the octets to write before we close the connection; `reason` is a sentence."""


class Beginning(Channel, Protocol):
    """One that begins with a handshake, behind which another process could go on."""

    __slots__ = ()

    @property
    def is_shaking_hands(self) -> bool:
        """Whether the handshake has not ended."""

    def begin(self, octets: bytes) -> list[bytes]:
        """As `feed`, but what came behind the handshake is `pending`, until `feed` is called, with b"" or with more."""


def beginning(channel: Channel) -> Beginning | None:
    """Return the channel if its handshake has not ended."""
    return cast(Beginning, channel) if getattr(channel, "is_shaking_hands", False) else None
