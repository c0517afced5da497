"""Nonces that need no memory: when it was made and by whom stands in it, under a seal (RFC 7616 §3.3)."""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable
from hmac import compare_digest
from typing import Final, NamedTuple

from switchboard.auth.keys import Use, seal

LENGTH: Final = 24
_RANDOM = 6
_ISSUED = struct.Struct(f">I{_RANDOM}s")
_SKEW_S = 60
"""So far the clocks of those who make nonces under one name may have gone back."""


class Nonce(NamedTuple):
    """A nonce of ours. `identity`: no other has it. `issued_at`: epoch s."""

    identity: bytes
    issued_at: int


class Nonces:
    """Makes the nonces of one `issuer` (a router, the registrar), and knows them for `lifetime_s` seconds.

    Only who made a nonce knows how often it was used, so each accepts its own and nobody else's.
    `token` makes so many random bytes.
    """

    def __init__(self, key: bytes, issuer: str, lifetime_s: float, token: Callable[[int], bytes]) -> None:
        self.lifetime_s = lifetime_s
        self._key = key
        self._issuer = issuer.encode()
        self._token = token

    def make(self, now_at: float) -> str:
        """A new one. `now_at`: epoch s."""
        issued = _ISSUED.pack(int(now_at), self._token(_RANDOM))
        return urlsafe_b64encode(issued + self._seal(issued)).decode()

    def read(self, text: str, now_at: float) -> Nonce | None:
        """The nonce that `text` (untrusted) is; None if it is too old or not ours."""
        try:
            sealed = urlsafe_b64decode(text) if len(text) == LENGTH else b""
        except (Error, ValueError):
            return None
        issued = sealed[: _ISSUED.size]
        if len(issued) < _ISSUED.size or not compare_digest(sealed[_ISSUED.size :], self._seal(issued)):
            return None
        issued_at: int = _ISSUED.unpack(issued)[0]
        fresh = -_SKEW_S <= now_at - issued_at <= self.lifetime_s
        return Nonce(issued, issued_at) if fresh else None

    def _seal(self, issued: bytes) -> bytes:
        return seal(self._key, Use.NONCE, issued + self._issuer)
