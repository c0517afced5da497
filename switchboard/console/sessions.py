"""The console's sessions: signed cookies, the key that proves them, and what a browser keeps of both."""

import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response

from switchboard.auth.keys import load_or_make_key
from switchboard.console.ended import EndedSessions

LIFETIME_S = 12 * 3600.0
ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Session:
    """One browser. `is_admin`: it has shown the password."""

    id: str
    is_admin: bool
    expires_at: float


class Sessions:
    """Opens and reads sessions. `key` signs them; another `password_hash` makes all of them void.

    `is_secure`: browsers are to show the cookie over TLS only. `ended`: those that were logged out.
    `clock` shows epoch s: one that is not set is best, since lifetimes count by it.
    """

    def __init__(
        self,
        key: bytes,
        password_hash: str,
        *,
        is_secure: bool = False,
        ended: EndedSessions | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.is_secure = is_secure
        self.clock = clock
        self.ended = ended or EndedSessions(None, LIFETIME_S, clock())
        self._key = hmac.digest(key, password_hash.encode(), hashlib.sha256)

    def open(self, is_admin: bool, now_at: float, random: bytes) -> Session:
        """Return a session of a browser. `random`: ID_BYTES of it."""
        return Session(random.hex(), is_admin, now_at + LIFETIME_S)

    def cookie(self, session: Session) -> str:
        """What the browser keeps."""
        text = f"{session.id}.{int(session.is_admin)}.{session.expires_at:.0f}"
        return f"{text}.{self._sign('session', text)}"

    def read(self, cookie: str, now_at: float) -> Session | None:
        """Return the session of a cookie (untrusted); None if it is not ours, or over."""
        text, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("session", text).encode()):
            return None
        session_id, is_admin, expires_at = text.split(".")
        session = Session(session_id, is_admin == "1", float(expires_at))
        return None if self.is_over(session, now_at) else session

    def is_over(self, session: Session, now_at: float) -> bool:
        """Whether it has lasted its time, or was logged out."""
        return now_at >= session.expires_at or (session.id, session.expires_at) in self.ended

    def end(self, session: Session, now_at: float) -> None:
        """Log it out: its cookie, and each copy, is nobody's from now on. To be followed by `ended.save`."""
        if session.is_admin:
            self.ended.add(session.id, session.expires_at, now_at)

    def browser_cookie(self, browser: str, expires_at: float) -> str:
        """What a browser keeps to be known again at the login; it opens nothing. `browser`: its id."""
        text = f"{browser}.{expires_at:.0f}"
        return f"{text}.{self._sign('browser', text)}"

    def read_browser(self, cookie: str, now_at: float) -> str:
        """Return the id in such a cookie (untrusted); "" if it is not ours, or too old."""
        text, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("browser", text).encode()):
            return ""
        browser, expires_at = text.split(".")
        return browser if now_at < float(expires_at) else ""

    def csrf_token(self, session: Session) -> str:
        """What a form of this session carries, and no other site knows."""
        return self._sign("form", f"{session.id}.{int(session.is_admin)}")

    def is_csrf_token(self, session: Session, token: str) -> bool:
        """Whether a form (untrusted) came from a page of this session."""
        return hmac.compare_digest(token.encode(), self.csrf_token(session).encode())

    def _sign(self, what: str, text: str) -> str:
        return hmac.digest(self._key, f"{what}:{text}".encode(), hashlib.sha256).hex()


def load_key(path: Path) -> bytes:
    """Return the key in the file, made if there is none. UnusableFile if that cannot be."""
    return load_or_make_key(path, "The console's key", "remove it, a new one is made")


COOKIE = "switchboard"
BROWSER_COOKIE = "switchboard-browser"
BROWSER_LIFETIME_S = 90 * 86400.0


def set_session(response: Response, sessions: Sessions, session: Session) -> None:
    """Let the browser keep `session` from now on."""
    response.headers.append("Set-Cookie", session_cookie(sessions, session))


def set_browser(response: Response, sessions: Sessions, browser: str, now_at: float) -> None:
    """Let it be known again at the login."""
    value = sessions.browser_cookie(browser, now_at + BROWSER_LIFETIME_S)
    response.headers.append(
        "Set-Cookie", _cookie_text(BROWSER_COOKIE, value, "/login", BROWSER_LIFETIME_S, sessions.is_secure)
    )


def session_cookie(sessions: Sessions, session: Session) -> str:
    """The Set-Cookie of a session."""
    return _cookie_text(COOKIE, sessions.cookie(session), "/", LIFETIME_S, sessions.is_secure)


def _cookie_text(name: str, value: str, path: str, lifetime_s: float, is_secure: bool) -> str:
    secure = "; Secure" if is_secure else ""
    return f"{name}={value}; Path={path}; HttpOnly; SameSite=Strict{secure}; Max-Age={lifetime_s:.0f}"


def read_cookie(headers: Headers, name: str) -> str:
    """The cookie of that name (untrusted); "" if there is none."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(headers.get("cookie", ""))
    except CookieError:
        return ""
    return jar[name].value if name in jar else ""
