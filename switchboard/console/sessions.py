"""Sessions of browsers, kept in a signed cookie: a restart of the console ends none. Time is an argument."""

import hashlib
import hmac
from dataclasses import dataclass

LIFETIME_S = 12 * 3600.0
ID_BYTES = 16
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Session:
    """One browser. `is_admin`: it has shown the password."""

    id: str
    is_admin: bool
    expires_at: float


class Sessions:
    """Opens and reads sessions. `key` signs them; another `password_hash` makes all of them void.

    `is_secure`: browsers are to show the cookie over TLS only.
    """

    def __init__(self, key: bytes, password_hash: str, *, is_secure: bool = False) -> None:
        self.is_secure = is_secure
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
        return session if now_at < session.expires_at else None

    def csrf_token(self, session: Session) -> str:
        """What a form of this session carries, and no other site knows."""
        return self._sign("form", f"{session.id}.{int(session.is_admin)}")

    def is_csrf_token(self, session: Session, token: str) -> bool:
        """Whether a form (untrusted) came from a page of this session."""
        return hmac.compare_digest(token.encode(), self.csrf_token(session).encode())

    def _sign(self, what: str, text: str) -> str:
        return hmac.digest(self._key, f"{what}:{text}".encode(), hashlib.sha256).hex()
