"""How often each nonce was used: nothing that was said once is believed a second time (RFC 7616 §3.4.5)."""

import struct
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from switchboard.auth.nonce import Nonce

KEPT: Final = 50_000
"""So many nonces that are in use; who uses the oldest of more gets a new one."""
WINDOW: Final = 64
"""So far behind the highest count may one come that was overtaken on its way."""
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
        self._used[nonce.identity] = (nonce.issued_at, *state)
        self.changes[nonce.identity] = _STATE.pack(*state)
        self._forget(now_at)
        return True

    def take_changes(self) -> Changes:
        """What is to be kept since the last call."""
        taken, self.changes = self.changes, {}
        return taken

    def _forget(self, now_at: float) -> None:
        """Let go of those in front whose time is over, and of the oldest if there are too many."""
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
