"""Passwords of people who administer: kept as a salted hash that is slow to try (scrypt, RFC 7914)."""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

_LOG_N, _R, _P = 15, 8, 1
_BYTES = 32
_MEMORY = 64 << 20
SALT_BYTES = 16
_ALLOWED_LOG_N = range(12, 19)


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """One hash and what it takes to check a password against it."""

    log_n: int
    salt: bytes
    digest: bytes

    def __str__(self) -> str:
        return f"scrypt:{self.log_n}:{_text(self.salt)}:{_text(self.digest)}"

    def fits(self, password: str) -> bool:
        """Whether this is the hash of `password`; takes a tenth of a second and 32 MiB, by intent."""
        return hmac.compare_digest(_scrypt(password, self.salt, self.log_n), self.digest)


def hash_password(password: str, salt: bytes, log_n: int = _LOG_N) -> PasswordHash:
    """Return the hash of a password. `salt`: SALT_BYTES random bytes; `log_n`: 1 more doubles the work."""
    return PasswordHash(log_n, salt, _scrypt(password, salt, log_n))


def parse_password_hash(text: str) -> PasswordHash:
    """Read what `str` of a hash has written; ValueError with a text for people."""
    try:
        scheme, log_n, salt, digest = text.split(":")
        found = PasswordHash(int(log_n), _bytes(salt), _bytes(digest))
    except (ValueError, binascii.Error):
        raise ValueError("it is not a password hash") from None
    if scheme != "scrypt" or found.log_n not in _ALLOWED_LOG_N or len(found.digest) != _BYTES:
        raise ValueError("it is not a password hash that this program knows")
    return found


def _scrypt(password: str, salt: bytes, log_n: int) -> bytes:
    memory = max(_MEMORY, 256 * _R << log_n)
    return hashlib.scrypt(password.encode(), salt=salt, n=1 << log_n, r=_R, p=_P, maxmem=memory, dklen=_BYTES)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
