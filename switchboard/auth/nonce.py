"""Nonces that need no memory: when it was made and by whom stands in it, under a seal (RFC 7616 §3.3)."""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable
from hmac import compare_digest
from typing import Final, NamedTuple

from switchboard.auth.keys import Use, seal
from switchboard.sip.respond import Hop

LENGTH: Final = 28
_RANDOM = 5
_TAG = 4
_ISSUED = struct.Struct(f">I{_RANDOM}s{_TAG}s")
_SKEW_S = 60
"""So far the clocks of those who make nonces under one name may have gone back."""


class Nonce(NamedTuple):
    """A nonce of ours. `identity`: no other has it. `issued_at`: epoch s. `receiver`: whom it was sent."""

    identity: bytes
    issued_at: int
    receiver: bytes = b""


class Nonces:
    """Makes the nonces of one `issuer` (a router, the registrar), and knows them for `lifetime_s` seconds.

    Only who made a nonce knows how often it was used, so each accepts its own and nobody else's. It is good
    from any address, and proves by a tag that what was sent to one address arrived there.
    `token` makes so many random bytes.
    """

    def __init__(self, key: bytes, issuer: str, lifetime_s: float, token: Callable[[int], bytes]) -> None:
        self.lifetime_s = lifetime_s
        self._key = key
        self._issuer = issuer.encode()
        self._token = token

    def make(self, now_at: float, hop: Hop) -> str:
        """A new one, to be sent to `hop`. `now_at`: epoch s."""
        issued = _ISSUED.pack(int(now_at), self._token(_RANDOM), self._tag(hop))
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
        issued_at, _, receiver = _ISSUED.unpack(issued)
        fresh = -_SKEW_S <= now_at - issued_at <= self.lifetime_s
        return Nonce(issued, issued_at, receiver) if fresh else None

    def was_sent_to(self, nonce: Nonce, hop: Hop) -> bool:
        """Whether it was made for this address and port."""
        return compare_digest(nonce.receiver, self._tag(hop))

    def _tag(self, hop: Hop) -> bytes:
        return seal(self._key, Use.NONCE, f"{hop[0]} {hop[1]}".encode(), _TAG)

    def _seal(self, issued: bytes) -> bytes:
        return seal(self._key, Use.NONCE, issued + self._issuer)
