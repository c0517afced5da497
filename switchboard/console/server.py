"""The thread that serves the console's pages, and each connection as uvicorn and h11 have it."""

import asyncio
import logging
import socket
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import h11
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from switchboard.console.connections import BODY_S, GUEST, HEAD_S, PROXIES, UNREAD_S, Connections, site_of
from switchboard.console.secured import Https, SecuredTransport, send_to_https
from switchboard.transports.channel import ChannelError

if TYPE_CHECKING:
    from switchboard.transports.tls import TlsChannel

END_S = 1
CUT_S = 0.5
"""Answers may go on for so long at the end; pages that are told the news would for ever."""
ANSWERS_WITHIN_S = 10.0
LOOK_S = 1.0
AT_ONCE = 30
"""Connections that are taken before those that are there are read again: fewer than one address may have."""
QUEUE = 4096
"""Connections that wait in the kernel to be taken."""
ALWAYS = ("/healthz", "/readyz", "/metrics")
"""What is answered however many connections there are."""
_LATE = (
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 32\r\n\r\n"
    b"The request took too long here.\n"
)


class HttpConnection(H11Protocol):
    """One connection, a Guest. `behind_proxy`: those from this machine are a proxy's, who bounds its clients."""

    def __init__(
        self, *, connections: Connections, behind_proxy: bool, https: Https | None, **uvicorns: Any
    ) -> None:
        super().__init__(**uvicorns)
        self._https = https
        self._secured: SecuredTransport | None = None
        self.site = ""
        self.is_known = self.is_spare = False
        self.since = time.monotonic()
        self._guests = connections
        self._behind_proxy = behind_proxy
        self._pages = cast(ASGIApp, self.app)
        self.app = cast(Any, self._serve)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Find a place for it. A handshake of TLS is a part of the time for the head of the first request."""
        if self._https:
            transport = self._secured = SecuredTransport(transport, self._https)
        super().connection_made(transport)
        host = self.client[0] if self.client else ""
        self.site = "" if self._behind_proxy and host in PROXIES else site_of(host)
        if not self._guests.admit(self):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take it out of its TLS."""
        if self._secured:
            try:
                data = self._secured.take(data)
            except ChannelError:
                self._guests.bad_tls += 1
                return
            self.scheme = "http" if self._secured.is_plain else "https"
        if data:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Its place is free."""
        self._guests.leave(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The browser does not read what waits for it."""
        self.since = time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It does again."""
        self.since = time.monotonic()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """It speaks no HTTP."""
        self._guests.bad_requests += 1
        super().send_400_response(msg)

    def limit_s(self) -> float | None:
        """As Guest has it."""
        if self.transport.is_closing() or self.flow.write_paused:
            return UNREAD_S
        if self.conn.their_state is h11.SEND_BODY:
            return BODY_S
        return HEAD_S if self.conn.their_state is h11.IDLE else None

    def tell_late(self) -> None:
        """As Guest has it."""
        if self.transport.is_closing() or self.flow.write_paused:
            self.transport.abort()
            return
        begun = self.conn.their_state is h11.SEND_BODY or self.conn.trailing_data[0]
        if begun and self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(_LATE)
        self.transport.close()

    def drop(self) -> None:
        """As Guest has it."""
        self.transport.abort()

    @property
    def channel(self) -> "TlsChannel | None":
        """What makes TLS of it; None: it is in the clear."""
        return self._secured.channel if self._secured else None

    def let_go(self) -> socket.socket:
        """Return it, as another process is to have it, with its `channel`. The request gets no answer of ours."""
        taken = cast(socket.socket, self.transport.get_extra_info("socket").dup())
        self.transport.abort()  # which closes our descriptor, and tells the browser nothing
        return taken

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.since = time.monotonic()
        scope[GUEST] = self
        try:
            await self._choose(scope)(scope, receive, send)
        finally:
            self.since = time.monotonic()

    def _choose(self, scope: Scope) -> ASGIApp:
        if self.is_spare and scope["path"] not in ALWAYS:
            return _refuse
        source = self.client[0] if self.client else ""
        if self._https and self.scheme == "http" and not self._https.allows_plain(source, scope["path"]):
            return send_to_https
        return self._pages


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    headers = {"Connection": "close", "Retry-After": "5"}
    await PlainTextResponse("Too many connections are open. Try again.\n", 503, headers)(scope, receive, send)


class Server:
    """uvicorn in a thread; `alive` tells whether its loop still turns. `https`: None, if it speaks HTTP only."""

    def __init__(
        self, app: ASGIApp, sock: socket.socket, behind_proxy: bool = False, https: Https | None = None
    ) -> None:
        self.connections = Connections()
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # less is what strangers cause
        protocol = partial(
            HttpConnection, connections=self.connections, behind_proxy=behind_proxy, https=https
        )
        config = uvicorn.Config(
            app,
            http=cast(Any, protocol),
            ws="none",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=AT_ONCE,
            timeout_graceful_shutdown=END_S,
        )
        self._server = uvicorn.Server(config)
        self._sock = sock
        self._beat = time.monotonic()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def alive(self) -> bool:
        """Whether it serves, and has not hung for ANSWERS_WITHIN_S."""
        return not self.ended and time.monotonic() < self._beat + ANSWERS_WITHIN_S

    @property
    def ended(self) -> bool:
        """Whether nothing of it runs any more."""
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Close the connections and end."""
        self._server.should_exit = True
        with suppress(RuntimeError):  # it has ended by itself
            if self._loop:
                self._loop.call_soon_threadsafe(self._loop.call_later, CUT_S, self.connections.end)
        self._thread.join(2 * END_S)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        looking = asyncio.create_task(self._look_after())
        await self._server.serve(sockets=[self._sock])
        looking.cancel()

    async def _look_after(self) -> None:
        while True:
            self._beat = time.monotonic()
            self._sock.listen(QUEUE)  # uvicorn knows one number for this and AT_ONCE
            self.connections.look(self._beat)
            await asyncio.sleep(LOOK_S)
