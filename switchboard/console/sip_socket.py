"""SIP over WebSocket at the console's address, so that a page of the console's needs no other origin.

The console shakes hands, and gives the connection itself to the edge's parent, who keeps it as one of those that it
has accepted. From then on the console has no part in it: the edge sees where the browser is, and a restart of the
console ends no call. A connection in TLS goes with the states of its record layer (`transports/tls_records.py`).
"""

import socket
from contextlib import closing, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from switchboard.console.access import SIP
from switchboard.console.connections import GUEST
from switchboard.console.server import HttpConnection
from switchboard.settings.model import Settings
from switchboard.sip.flow import WS, WSS
from switchboard.transports.keeper_words import NAME, Handed, lend, visit
from switchboard.transports.origins import Origins
from switchboard.transports.tcp_counts import counts_of
from switchboard.transports.websocket import HandshakeRefused, shake_hands

if TYPE_CHECKING:
    from switchboard.transports.tls import TlsChannel

NOT_HERE = "The edge, which serves phones, is not running on this machine."
NOT_IN_TLS = (
    "This connection cannot be given to the edge: tls_survive is off, or its cipher is not one of AEAD."
)


class SipSocket:
    """Owns the route."""

    def __init__(self, settings: Settings) -> None:
        self._allows = Origins.of(settings).allows
        self._keeper = settings.run_dir / NAME
        self.routes = [Route(SIP, self.open)]

    async def open(self, request: Request) -> Response:
        """Shake hands, and let the connection go."""
        guest: HttpConnection = request.scope[GUEST]
        channel, source = guest.channel, request.client.host if request.client else ""
        if channel and (channel.pending or not channel.reading):
            return _say(HTTPStatus.NOT_IMPLEMENTED, NOT_IN_TLS)
        try:
            _, answer = shake_hands(_head_of(request.scope), self._allows)
            with visit(self._keeper) as desk, closing(guest.let_go()) as taken, suppress(OSError):
                _send(taken, channel, answer)
                lend(desk, taken, WSS if channel else WS, source, _handed(taken, channel))
        except HandshakeRefused as refused:
            return _say(refused.http_status, refused.sentence, **refused.headers)
        except OSError:
            return _say(HTTPStatus.SERVICE_UNAVAILABLE, NOT_HERE, **{"Retry-After": "2"})
        return _Gone()


def _send(taken: socket.socket, channel: "TlsChannel | None", answer: bytes) -> None:
    """Nothing is before it in the kernel's buffer, which has room."""
    taken.send(channel.wrap(answer) if channel else answer)


def _handed(taken: socket.socket, channel: "TlsChannel | None") -> Handed:
    """What the edge needs to go on with it."""
    if channel is None:
        return []
    accepted, consumed = counts_of(taken)
    return [consumed, channel.reading, accepted, channel.writing]


def _say(status: HTTPStatus, sentence: str, **headers: str) -> Response:
    return PlainTextResponse(f"{sentence}\n", status, {"Connection": "close", **headers})


class _Gone(Response):
    """The connection is not ours any more: nothing is said, and the request has ended when the server knows that."""

    async def __call__(self, _scope: Scope, receive: Receive, _send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


def _head_of(scope: Scope) -> bytes:
    """The request as it came, near enough."""
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    lines = [f"{scope['method']} ".encode() + scope["raw_path"] + query + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in scope["headers"]]
    return b"\r\n".join([*lines, b"\r\n"])
