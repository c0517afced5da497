"""Access control of the console: the layer around all pages.

Host and Origin are checked, and forms carry the token of their session. Where the console can be reached from other
machines (or has a password), only a browser with a session sees more than the login.
"""

import ipaddress
import re
import secrets
import socket
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from switchboard.console.connections import GUEST, Guest
from switchboard.console.sessions import COOKIE, ID_BYTES, Session, Sessions, read_cookie, session_cookie
from switchboard.settings.model import Settings
from switchboard.settings.types import is_loopback, parse_listening

LOCALHOST = "localhost"
_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]+))(?::[0-9]{1,5})?")


def is_known_host(header: str, names: Collection[str], only_loopback: bool) -> bool:
    """Whether the Host header (untrusted) is an address, which no name can be rebound to, or one of `names`.

    `only_loopback`: of the addresses only those of this machine alone.
    """
    match = _HOST.fullmatch(header)
    if not match:
        return False
    host = (match["v6"] or match["name"]).lower().removesuffix(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == LOCALHOST or host in names
    return address.is_loopback or not only_loopback


CSRF_FIELD = "csrf"
MAX_BODY_BYTES = 64 << 10
OPEN_TO_ALL = ("/login", "/static/", "/provisioning/", "/own/", "/authority.pem", "/healthz", "/readyz")
SIP = "/sip"
"""Where phones in web pages connect: `ws_origins` says which pages, and their users have passwords of their own."""
API = "/api/"
READING = ("GET", "HEAD")
SECURE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers would send no Origin either
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings ask of a request."""

    names: frozenset[str]
    needs_login: bool
    netloc: str = ""
    """Of the proxy before the console."""

    @classmethod
    def of(cls, settings: Settings) -> "Rules":
        """The rules of these settings."""
        address = parse_listening(settings.console)
        needs_login = bool(settings.console_password) or not (address and is_loopback(address[0]))
        public = urlsplit(settings.console_url)
        others = {public.hostname} if public.hostname else set()
        names = {socket.gethostname().lower(), *settings.domains, *settings.console_names, *others}
        return cls(frozenset(names if needs_login else ()), needs_login, public.netloc)


class Access:
    """ASGI middleware; `api` answers below /api/. Pages find `session` and, after a POST, `form` in the state."""

    def __init__(self, app: ASGIApp, sessions: Sessions, rules: Rules, api: ASGIApp) -> None:
        self._app = app
        self._api = api
        self._sessions = sessions
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the pages answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"].startswith(API):  # it asks for its tokens, and no cookie counts there
            await self._api(scope, receive, _sender(scope, send))
            return
        if scope["path"] == SIP:
            await self._app(scope, receive, _sender(scope, send))
            return
        headers = Headers(scope=scope)
        if _came_from_elsewhere(headers):
            await Response(headers={"Refresh": "0"})(scope, receive, _sender(scope, send))
            return
        known = self._sessions.read(read_cookie(headers, COOKIE), self._sessions.clock())
        session = known or self._sessions.open(False, self._sessions.clock(), secrets.token_bytes(ID_BYTES))
        scope.setdefault("state", {})["session"] = session
        if known and (known.is_admin or not self._rules.needs_login):
            tell_known(scope)
        cookie = None if known else session_cookie(self._sessions, session)
        answer = await self._refuse(scope, headers, session, receive)
        await (answer or self._app)(scope, receive, _sender(scope, send, cookie))

    async def _refuse(
        self, scope: Scope, headers: Headers, session: Session, receive: Receive
    ) -> Response | None:
        host = headers.get("host", "")
        if not is_known_host(host, self._rules.names, not self._rules.needs_login):
            return _refusal(
                f"This console is not known as {host!r}. Use its address, or name it in console_names "
                "(a console without a password is reached as localhost only)."
            )
        if scope["method"] not in (*READING, "POST"):
            return _refusal("Only GET, HEAD and POST are understood.", 405)
        if self._rules.needs_login and not session.is_admin and not scope["path"].startswith(OPEN_TO_ALL):
            return _send_to_login(scope)
        return (
            None if scope["method"] in READING else await self._refuse_form(scope, headers, session, receive)
        )

    async def _refuse_form(
        self, scope: Scope, headers: Headers, session: Session, receive: Receive
    ) -> Response | None:
        if urlsplit(headers.get("origin", "")).netloc not in {headers["host"], self._rules.netloc} - {""}:
            return _refusal("The form came from another site. Nothing was changed.")
        body = await read_body(receive)
        if body is None:
            return _refusal("The form is too large.", 413)
        form = {name: values[-1] for name, values in parse_qs(body.decode(errors="replace")).items()}
        if not self._sessions.is_csrf_token(session, form.get(CSRF_FIELD, "")):
            return _refusal("The page was too old. Go back, reload it and try again. Nothing was changed.")
        scope["state"]["form"] = form
        return None


def tell_known(scope: Scope) -> None:
    """Whoever asks on this connection is one of ours."""
    guest: Guest | None = scope.get(GUEST)
    if guest:
        guest.is_known = True


def _came_from_elsewhere(headers: Headers) -> bool:
    """Followed from another site's link, without our cookie, since that is SameSite=Strict: ask again."""
    return "cookie" not in headers and headers.get("sec-fetch-site") == "cross-site"


def _sender(scope: Scope, send: Send, cookie: str | None = None) -> Send:
    is_secure = scope["scheme"] == "https"

    async def send_secured(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, text in SECURE_HEADERS.items():
                headers.setdefault(name, text)
            if cookie:
                headers.setdefault("Set-Cookie", cookie)
            if is_secure:
                message["headers"] = [_for_tls_only(*each) for each in headers.raw]
        await send(message)

    return send_secured


def _for_tls_only(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Browsers show a cookie that was set over TLS over TLS only."""
    if name.lower() == b"set-cookie" and b"; Secure" not in value:
        value += b"; Secure"
    return name, value


def _refusal(text: str, status: int = 403) -> Response:
    """What is still to come of the request is not waited for."""
    return PlainTextResponse(f"{text}\n", status, {"Connection": "close"})


def _send_to_login(scope: Scope) -> Response:
    if scope["method"] not in READING or scope["path"].endswith("/events"):
        return _refusal("Log in first.", 401)
    query = scope["query_string"].decode("latin-1")
    wanted = scope["path"] + (f"?{query}" if query else "")
    return RedirectResponse(f"/login?next={quote(wanted, safe='/')}", 303)


async def read_body(receive: Receive) -> bytes | None:
    """The whole body; None if it is longer than MAX_BODY_BYTES, or its end never came."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES or message["type"] == "http.disconnect":
            return None
        if not message.get("more_body"):
            return bytes(body)
