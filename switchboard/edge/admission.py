"""Which new requests go on while their peers are overloaded; what was begun always does.

A request that is sent again has the same verdict again: a call that was admitted is not refused because its
INVITE was lost or late.
"""

from collections.abc import Callable

from switchboard.core.overload import Overload
from switchboard.core.verdicts import LASTS_S, Verdicts


class Entrance:
    """`is_user` tells whether a user registered from an address; a verdict holds for `lasts_s` at least.

    Peers go by number; `now` is monotonic.
    """

    def __init__(self, is_user: Callable[[str], bool], lasts_s: float = LASTS_S) -> None:
        self._is_user = is_user
        self._overloads: dict[int, Overload] = {}
        self._verdicts = Verdicts(lasts_s)

    def overload(self, peer: int) -> Overload:
        """How that peer is; to be kept up to date."""
        return self._overloads.setdefault(peer, Overload())

    def admits(self, peer: int, transaction: int, host: str, now: float) -> bool:
        """Whether the new request from `host`, which is of that `transaction_of`, may go to `peer`."""
        verdict = self._verdicts.find(transaction, now)
        if verdict is None:
            verdict = not self._refuses(peer, host, now)
            self._verdicts.add(transaction, verdict, now)
        return verdict

    def _refuses(self, peer: int, host: str, now: float) -> bool:
        overload = self._overloads.get(peer)
        if overload is None:
            return False
        return overload.refuses(now, overload.is_pressing(now) and self._is_user(host))
