"""Which new requests go on while their peers are overloaded; what was begun always does.

Compiled from this very file (`entrance.pxd`). A request that is sent again has the same verdict again: a call
that was admitted is not refused because its INVITE was lost or late.
"""

from collections.abc import Callable

from switchboard.gate.overload import Overload

EPOCH_S = 32.0
"""A verdict holds for so long at least: no transaction lasts longer on its sender's side (64 T1)."""
VERDICTS = 100_000
"""That are remembered of one epoch."""


class Entrance:
    """`is_user` tells whether a user registered from an address. Peers go by number; `now` is monotonic."""

    def __init__(self, is_user: Callable[[str], bool]) -> None:
        self._is_user = is_user
        self._overloads: dict[int, Overload] = {}
        self._young: dict[int, bool] = {}
        self._old: dict[int, bool] = {}
        self._turned_at = 0.0

    def overload(self, peer: int) -> Overload:
        """How that peer is; to be kept up to date."""
        return self._overloads.setdefault(peer, Overload())

    def admits(self, peer: int, transaction: int, host: str, now: float) -> bool:
        """Whether the new request from `host`, which is of that `transaction_of`, may go to `peer`."""
        verdict = self._young.get(transaction)
        if verdict is None:
            verdict = self._old.get(transaction)
        if verdict is None:
            verdict = not self._refuses(peer, host, now)
            self._remember(transaction, verdict, now)
        return verdict

    def _refuses(self, peer: int, host: str, now: float) -> bool:
        overload = self._overloads.get(peer)
        if overload is None:
            return False
        return overload.refuses(now, overload.is_pressing(now) and self._is_user(host))

    def _remember(self, transaction: int, verdict: bool, now: float) -> None:
        if now - self._turned_at >= EPOCH_S or len(self._young) >= VERDICTS:
            self._old = self._young if now - self._turned_at < 2 * EPOCH_S else {}
            self._young = {}
            self._turned_at = now
        self._young[transaction] = verdict
