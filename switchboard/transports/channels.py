"""Which channel stands between the octets of a connection and its messages."""

from typing import Final

from switchboard.settings.model import Settings
from switchboard.sip.flow import TCP
from switchboard.transports.channel import Channel
from switchboard.transports.framing import StreamFraming

SERVED: Final = (TCP,)
"""Transports that have a channel."""


def make_channel(settings: Settings, transport: int, is_new: bool) -> Channel | None:  # noqa: ARG001
    """Return the channel of a connection; None: it cannot go on in another process than the one that it began in."""
    return StreamFraming(settings.max_message_bytes) if transport == TCP else None
