"""Fake phones on TLS, and on WebSockets in TLS (RFC 7118)."""

import re
import socket
import ssl
from functools import cache
from pathlib import Path
from secrets import token_hex

from system.stream_agent import StreamAgent, StreamEndpoint
from wsproto import ConnectionType, WSConnection
from wsproto.events import BytesMessage, Ping, Request, TextMessage

RECEIVED_BYTES = 1 << 14


class TlsEndpoint(StreamEndpoint):
    """A connection in TLS; `authority`: the file of who vouches for the switchboard."""

    authority: Path
    version = ssl.TLSVersion.TLSv1_3

    def _open(self, host: str) -> socket.socket:
        context = context_of(self.authority, self.version)
        return context.wrap_socket(super()._open(host), server_hostname=self._proxy[0])

    def read(self) -> None:
        """Read all records that are there."""
        try:
            super().read()
            while isinstance(self._socket, ssl.SSLSocket) and not self.is_closed and self._socket.pending():
                super().read()
        except ssl.SSLWantReadError:
            return


class TlsAgent(StreamAgent):
    """A user agent on TLS."""

    transport = "TLS"
    endpoint: type[StreamEndpoint] = TlsEndpoint

    def _open(self, host: str) -> StreamEndpoint:
        self.connection = self.endpoint(self.net, self.user, host, self.proxy, self._receive)
        return self.connection

    @property
    def contact(self) -> str:
        """The URI at which it says that it is reached."""
        return re.sub("tcp$", "tls", super().contact)


class WssEndpoint(TlsEndpoint):
    """A WebSocket in TLS: a binary frame for each message."""

    def _open(self, host: str) -> socket.socket:
        opened = super()._open(host)
        self._web = WSConnection(ConnectionType.CLIENT)
        opened.sendall(self._web.send(Request(self._proxy[0], "/", subprotocols=["sip"])))
        self._web.receive_data(opened.recv(RECEIVED_BYTES))
        accepted = next(self._web.events())
        assert getattr(accepted, "subprotocol", None) == "sip", accepted
        return opened

    def _encode(self, raw: bytes) -> bytes:
        return self._web.send(BytesMessage(raw))

    def _decode(self, came: bytes) -> bytes:
        self._web.receive_data(came)
        content = b""
        for event in self._web.events():
            match event:
                case TextMessage(data=str(text)):
                    content += text.encode()
                case BytesMessage(data=data):
                    content += data
                case Ping():
                    self._socket.send(self._web.send(event.response()))
        return content


class WssAgent(TlsAgent):
    """A user agent in a web page, which has no address (§5 there)."""

    transport = "WSS"
    endpoint = WssEndpoint

    @property
    def contact(self) -> str:
        """The URI that nobody can connect to."""
        return f"sip:{self.user}@{self._host}.invalid;transport=ws"

    @property
    def _host(self) -> str:
        if not hasattr(self, "_own_host"):
            self._own_host = token_hex(6)
        return self._own_host


@cache
def context_of(authority: Path, version: ssl.TLSVersion) -> ssl.SSLContext:
    """What speaks this version only, and trusts this authority only."""
    context = ssl.create_default_context(cafile=authority)
    context.minimum_version = context.maximum_version = version
    return context
