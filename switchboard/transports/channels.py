"""Which channel stands between the octets of a connection and its messages."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

from switchboard.settings.model import Settings
from switchboard.sip.flow import TCP, TLS, WS, WSS, is_secure
from switchboard.transports.channel import Channel
from switchboard.transports.framing import StreamFraming

if TYPE_CHECKING:
    from switchboard.transports.tls_contexts import TlsContexts
    from switchboard.transports.websocket import Allows

SERVED: Final = (TCP, TLS, WS, WSS)
"""Transports that have a channel."""


class Channels:
    """Makes the channels of one edge-stream. What a transport needs is loaded when it is used."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def accept(self, transport: int) -> Channel | None:
        """Return the channel of a new connection that we were asked for; None: we cannot serve it."""
        inner = self._inside(transport, is_new=True)
        return self._tls.accept(transport, inner) if is_secure(transport) else inner

    def connect(self, transport: int, names: Sequence[str]) -> Channel | None:
        """Return the channel of a connection that we make, to a peer who may have any of `names`; None: we cannot."""
        inner = StreamFraming(self._settings.max_message_bytes)
        return self._tls.connect(inner, names) if is_secure(transport) else inner

    def restore(self, transport: int, reading: bytes, writing: bytes, *, is_new: bool) -> Channel | None:
        """Return the channel of a connection that another process had; None: it cannot go on here.

        `reading`, `writing`: what the channel had to say of itself. `is_new`: nothing was consumed yet.
        """
        if not is_secure(transport):
            return self._inside(transport, is_new=is_new)
        if is_new:
            return self.accept(transport)
        if not (reading and writing):
            return None
        from switchboard.transports.tls import TlsChannel

        try:
            return TlsChannel.restored(lambda new: self._inside(transport, is_new=new), reading, writing)
        except ValueError:
            return None

    def notes(self) -> list[str]:
        """What people should know."""
        return self._tls.notes() if self._settings.has_tls else []

    @cached_property
    def _tls(self) -> "TlsContexts":
        from switchboard.transports.tls_contexts import TlsContexts  # 60 ms

        return TlsContexts(self._settings)

    def _inside(self, transport: int, *, is_new: bool) -> Channel:
        limit = self._settings.max_message_bytes
        if transport not in (WS, WSS):
            return StreamFraming(limit)
        from switchboard.transports.websocket import WebSocketFraming

        return WebSocketFraming(self._allows, limit, is_new)

    @cached_property
    def _allows(self) -> "Allows":
        from switchboard.transports.origins import Origins

        return Origins.of(self._settings).allows
