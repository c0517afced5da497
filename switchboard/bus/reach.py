"""Which peers of a process cannot be reached, and since when."""

from collections.abc import Iterable
from datetime import datetime

from switchboard.bus.peer import Peer

AWAY_S = 1.0
"""A worker that is restarted is back sooner: nobody needs to read of that."""


class Reach:
    """Looks at the peers from time to time. `now`: monotonic s, `at`: epoch s."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[float, float]] = {}
        self._reported: set[str] = set()

    def look(self, peers: Iterable[Peer], now: float, at: float) -> list[str]:
        """Return what the log is to know."""
        return [line for peer in peers if (line := self._look(peer, now, at))]

    def notes(self) -> list[str]:
        """A line for each peer that has been away for long."""
        return [_away(where, *self._since[where]) for where in sorted(self._reported)]

    def _look(self, peer: Peer, now: float, at: float) -> str | None:
        where = f"{peer.name} at {peer.endpoint}"
        if peer.takes_frames:
            since, _ = self._since.pop(where, (now, at))
            if where not in self._reported:
                return None
            self._reported.discard(where)
            return f"{where} can be reached again, after {now - since:.0f} s"
        since, _ = self._since.setdefault(where, (now, at))
        if now - since < AWAY_S or where in self._reported:
            return None
        self._reported.add(where)
        return _away(where, *self._since[where])


def _away(where: str, _since: float, since_at: float) -> str:
    moment = datetime.fromtimestamp(since_at).astimezone()
    return f"{where} cannot be reached since {moment:%Y-%m-%d %H:%M:%S}"
