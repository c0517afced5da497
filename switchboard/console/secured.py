"""TLS at the console's own address: what stands between the socket of a connection and uvicorn.

Theory. The first octet of a connection tells who speaks TLS: a handshake begins with 22, HTTP with a letter. So one
port serves both, and those who may not go without TLS are told where to go. OpenSSL makes the handshake, and behind it
our own record layer goes on (`transports/tls.py`). Unlike OpenSSL it can tell its state, and so a WebSocket in TLS is
given to the edge as one without (`sip_socket.py`).
"""

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from switchboard.settings.model import Settings
from switchboard.sip.flow import WSS
from switchboard.transports.channel import ChannelClosed, ChannelError

if TYPE_CHECKING:
    from switchboard.transports.tls import TlsChannel

HANDSHAKE = b"\x16"
"""The first octet of who speaks TLS."""
PLAIN_PATHS = ("/authority.pem", "/healthz", "/readyz")
"""What anybody may fetch without TLS. Nothing of it is secret, and who asks for the authority does not trust us yet."""
PROVISIONING = "/provisioning/"
READING = ("GET", "HEAD")


class Inside:
    """The channel of HTTP in TLS: each octet is passed on at once."""

    pending = reading = writing = b""
    is_midway = False

    def feed(self, octets: bytes) -> list[bytes]:
        """As a Channel does."""
        return [octets]

    def wrap(self, message: bytes) -> bytes:
        """As a Channel does."""
        return message

    def take_output(self) -> bytes:
        """As a Channel does."""
        return b""

    def farewell(self, _reason: str, /) -> bytes:
        """As a Channel does."""
        return b""


class Https:
    """What the settings say of TLS here. `channel` makes one; None while there is no certificate.

    `is_trusted`: whether who asks from an address may do without. `plain_paths`: beginnings of what all others may
    fetch so.
    """

    def __init__(
        self,
        channel: "Callable[[], TlsChannel | None]",
        is_trusted: Callable[[str], bool],
        plain_paths: Sequence[str],
    ) -> None:
        self.channel = channel
        self._is_trusted, self._plain_paths = is_trusted, tuple(plain_paths)

    @classmethod
    def of(cls, settings: Settings) -> "Https | None":
        """None: the console speaks HTTP only. Linphone cannot check a certificate of our own making, so it gets its
        configuration without TLS then, as it would from a console without.
        """
        if not settings.console_has_tls:
            return None
        from switchboard.transports.tls_contexts import TlsContexts  # 60 ms that only TLS needs

        contexts = TlsContexts(settings)
        plain = PLAIN_PATHS if settings.tls_certificate else (*PLAIN_PATHS, PROVISIONING)
        return cls(lambda: contexts.accept(WSS, Inside()), _trusted(settings), plain)

    def allows_plain(self, source: str, path: str) -> bool:
        """Whether a request from the address `source` is answered without TLS."""
        return path.startswith(self._plain_paths) or self._is_trusted(source)


def doubts_of(settings: Settings) -> list[str]:
    """Say for people why the certificate cannot be used, or might be refused."""
    from switchboard.transports.tls_files import TlsFileError, doubts, files_of, promised_names, read_identity

    try:
        found = read_identity(files_of(settings))
    except TlsFileError as error:
        return [f"TLS: {error}"]
    return list(doubts(found, promised_names(settings), datetime.now(UTC)))


class SecuredTransport(asyncio.Transport):
    """A connection as uvicorn has it. `take` gets what comes; what is written goes out in TLS, if that is spoken."""

    def __init__(self, outside: asyncio.Transport, https: Https) -> None:
        super().__init__()
        self._outside, self._https = outside, https
        self.channel: TlsChannel | None = None
        self.is_plain = False

    def take(self, octets: bytes) -> bytes:
        """Return what is inside. ChannelError: the peer broke the rules of TLS; the connection is being closed."""
        if self.channel is None and not self.is_plain:
            self._choose(octets)
        if self.channel is None:
            return octets
        try:
            found = self.channel.feed(octets)
        except ChannelError as error:
            self._end(error.close_with)
            if not isinstance(error, ChannelClosed):
                raise
            return b""
        if said := self.channel.take_output():
            self._outside.write(said)
        return b"".join(found)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send what belongs inside."""
        octets = bytes(data)
        self._outside.write(self.channel.wrap(octets) if self.channel else octets)

    def close(self) -> None:
        """Say goodbye in order, and end."""
        if not self._outside.is_closing():
            self._end(self.channel.farewell("") if self.channel else b"")

    def abort(self) -> None:
        """End at once."""
        self._outside.abort()

    def is_closing(self) -> bool:
        """Whether it ends."""
        return self._outside.is_closing()

    def pause_reading(self) -> None:
        """Let the peer wait."""
        self._outside.pause_reading()

    def resume_reading(self) -> None:
        """Go on."""
        self._outside.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Of the connection itself."""
        return self._outside.get_extra_info(name, default)

    def _choose(self, octets: bytes) -> None:
        if octets[:1] != HANDSHAKE:
            self.is_plain = True
            return
        self.channel = self._https.channel()
        if self.channel is None:
            from switchboard.transports.tls_half import Alert, plain_alert

            self._end(plain_alert(Alert.INTERNAL_ERROR))
            raise ChannelError("No Certificate")

    def _end(self, goodbye: bytes) -> None:
        with suppress(RuntimeError):  # it is gone
            if goodbye:
                self._outside.write(goodbye)
        self._outside.close()


async def send_to_https(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request without TLS that needs it."""
    host = Headers(scope=scope).get("host", "")
    where = f"https://{quote(host, safe='.:[]-')}"
    if host and scope["method"] in READING and not scope["path"].startswith("/api/"):
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        path = cast(bytes, scope["raw_path"] + query).decode("latin-1")
        response: Response = RedirectResponse(where + path, 307)
    else:
        said = f"This console is reached by TLS only: {where}/. What was sent could be read on its way.\n"
        response = PlainTextResponse(said, 403)
    response.headers["Connection"] = "close"
    await response(scope, receive, send)


def _trusted(settings: Settings) -> Callable[[str], bool]:
    """This machine, unless TLS is demanded; all, if a proxy speaks TLS for the console, wherever that is."""
    if settings.console_tls == "on":
        return lambda _: False
    return (lambda _: True) if settings.console_url else (lambda source: _is_here(source))


def _is_here(source: str) -> bool:
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
