"""The sessions of the console, and the key that proves them."""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from switchboard.storage.unusable import UnusableFile

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


def load_key(path: Path) -> bytes:
    """Return the key in the file, made if there is none. UnusableFile if that cannot be."""
    try:
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise UnusableFile(f"The console's key {path} cannot be used: {error.strerror}.") from error
    if len(key) != KEY_BYTES:
        raise UnusableFile(f"The console's key {path} is no key of ours: remove it, a new one is made.")
    return key


def _make(path: Path) -> None:
    """Whole or not at all."""
    beside = path.with_suffix(".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
    beside.rename(path)
