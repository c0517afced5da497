"""Nonces that need no table: each contains its time and its issuer, under a seal (RFC 7616 §3.3); and the replay check.

Theory. A server that stored each nonce that it issues could be filled with requests without credentials. So a nonce
carries its own data (time, random octets, a tag of the receiver's address) and a keyed hash over it and the issuer's
name. Whether it is valid follows from the nonce alone.

Against replays (§3.4.5) the issuer has to remember how often a nonce was *used*, which costs an attacker a valid
password. For each used nonce it keeps the highest count (`nc`) and a bit map of the WINDOW counts below, as IPsec
does: a count is accepted once, and counts may overtake one another a little. At most KEPT nonces are tracked. If one
is dropped, all unused nonces up to its age are refused, because they may have been used.
"""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections import OrderedDict
from collections.abc import Callable, Iterable
from hmac import compare_digest
from typing import Final, NamedTuple

from switchboard.auth.keys import Use, seal
from switchboard.sip.respond import Hop

LENGTH: Final = 28
_RANDOM = 5
_TAG = 4
_ISSUED = struct.Struct(f">I{_RANDOM}s{_TAG}s")
_SKEW_S = 60
"""How far the clocks of issuers under one name may have gone back."""


class Nonce(NamedTuple):
    """A nonce of ours. `identity`: no other has it. `issued_at`: epoch s. `receiver`: whom it was sent."""

    identity: bytes
    issued_at: int
    receiver: bytes = b""


class Nonces:
    """Makes the nonces of one `issuer` (a router, the registrar), and knows them for `lifetime_s` seconds.

    Only the issuer of a nonce knows how often it was used, so each issuer accepts only its own. A nonce is valid
    from any address, and proves by a tag that a challenge that was sent to an address arrived there.
    `token` makes random bytes, as many as it is asked for.
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


KEPT: Final = 50_000
"""Nonces in use that are tracked; a client with an older one gets a new one."""
WINDOW: Final = 64
"""How far behind the highest count another one may come, after it was overtaken on its way."""
_STATE = struct.Struct(">IQ")
_ALL = 2**WINDOW - 1
_LAST = 2**32 - 1

Changes = dict[bytes, bytes | None]
"""By a nonce's identity what is to be kept of it; None: nothing."""


class Replays:
    """The counts of one issuer's nonces. Its owner keeps the changes durably before it answers.

    `kept`: what a predecessor kept, by identity.
    """

    def __init__(self, lifetime_s: float, kept: Iterable[tuple[bytes, bytes]] = (), most: int = KEPT) -> None:
        self.changes: Changes = {}
        self._lifetime_s = lifetime_s
        self._most = most
        self._used: OrderedDict[bytes, tuple[int, int, int]] = OrderedDict()  # issued_at, highest, seen
        for identity, state in kept:
            self._used[identity] = (int.from_bytes(identity[:4], "big"), *_STATE.unpack(state))
        self._forgotten_at = _LAST if len(self._used) >= most else 0
        self._before: dict[bytes, tuple[int, int, int] | None] | None = None  # what `undo` restores

    def __len__(self) -> int:
        return len(self._used)

    def use(self, nonce: Nonce, count: int | None, now_at: float) -> bool:
        """Note the use of `nonce` with this count; False if it was used so before, or may have been.

        Without a count a nonce is good for one use.
        """
        known = self._used.get(nonce.identity)
        if known is None and nonce.issued_at <= self._forgotten_at:
            return False
        state = _first(count) if known is None else _next(known[1], known[2], count)
        if state is None:
            return False
        if self._before is not None:
            self._before.setdefault(nonce.identity, known)
        self._used[nonce.identity] = (nonce.issued_at, *state)
        self.changes[nonce.identity] = _STATE.pack(*state)
        self._forget(now_at)
        return True

    def begin(self) -> None:
        """From now on `undo` can take back what is used."""
        self._before = {}

    def undo(self) -> None:
        """Nothing that was used since `begin` was answered: it may be used once more."""
        for identity, known in (self._before or {}).items():
            self.changes[identity] = _STATE.pack(*known[1:]) if known else None
            if known:
                self._used[identity] = known
            else:
                self._used.pop(identity, None)
        self.begin()

    def take_changes(self) -> Changes:
        """What is to be kept since the last call."""
        taken, self.changes = self.changes, {}
        return taken

    def _forget(self, now_at: float) -> None:
        """Drop expired nonces at the front, and the oldest if there are too many."""
        if self._forgotten_at == _LAST:
            self._forgotten_at = int(now_at)
        while self._used:
            identity, (issued_at, *_) = next(iter(self._used.items()))
            if len(self._used) > self._most:
                self._forgotten_at = max(self._forgotten_at, issued_at)
            elif issued_at + self._lifetime_s >= now_at:
                return
            del self._used[identity]
            self.changes[identity] = None


def _first(count: int | None) -> tuple[int, int] | None:
    if count is None:
        return _LAST, _ALL
    return (count, 1) if count > 0 else None


def _next(highest: int, seen: int, count: int | None) -> tuple[int, int] | None:
    if count is None or count <= 0:
        return None
    if count > highest:
        shift = count - highest
        return count, (seen << shift | 1) & _ALL if shift < WINDOW else 1
    bit = 1 << highest - count
    return None if bit > _ALL or seen & bit else (highest, seen | bit)
