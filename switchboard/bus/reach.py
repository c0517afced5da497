"""Which peers cannot be reached, since when and why: for the log and `status`."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from switchboard.bus.link import Link
from switchboard.bus.peer import Peer

AWAY_S = 1.0
"""A worker that is restarted is back sooner: nobody needs to read of that."""
FIRST_S = 30.0
"""The time of a worker of this host that starts together with this one, on a busy machine."""


class _Away(NamedTuple):
    since: float
    since_at: float
    reason: str


class Reach:
    """To look at peers, and at all other links, from time to time. `now`: monotonic s, `at`: epoch s."""

    def __init__(self) -> None:
        self._away: dict[str, _Away] = {}
        self._reported: dict[str, set[str]] = {}  # the reasons that were told
        self._met: set[str] = set()

    def look(self, peers: Iterable[Peer], links: Iterable[Link], now: float, at: float) -> list[str]:
        """Return lines for the log: peers that are away, each reason once, and peers that are back."""
        reached = {link: link.is_connected for link in links if not link.is_closed}
        reached |= {peer.link: peer.takes_frames for peer in peers}
        self._forget_all_but({_name(link) for link in reached})
        lines = (self._look(link, is_reached, now, at) for link, is_reached in reached.items())
        return [line for line in lines if line]

    def notes(self) -> list[str]:
        """A line for each peer that has been away for long."""
        return [_describe(where, self._away[where]) for where in sorted(self._reported)]

    def _forget_all_but(self, names: set[str]) -> None:
        """A peer that nobody needs any more is not away."""
        for known in (self._away, self._reported):
            for where in known.keys() - names:
                del known[where]

    def _look(self, link: Link, is_reached: bool, now: float, at: float) -> str:
        where = _name(link)
        if is_reached:
            self._met.add(where)
            away = self._away.pop(where, None)
            if away is None or self._reported.pop(where, None) is None:
                return ""
            return f"{where} can be reached again, after {now - away.since:.0f} s"
        before = self._away.get(where)
        since, since_at = (now, at) if before is None else before[:2]
        away = self._away[where] = _Away(since, since_at, link.reason)
        told = self._reported.get(where, set())
        if now - since < self._patience_s(where, link) or (told and (not link.reason or link.reason in told)):
            return ""
        self._reported[where] = told | {link.reason}
        return _describe(where, away)

    def _patience_s(self, where: str, link: Link) -> float:
        """The worker on another host is not started together with this one: it is missed at once."""
        is_expected = where in self._met or link.reason or not str(link.endpoint).startswith("ipc:")
        return AWAY_S if is_expected else FIRST_S


def _name(link: Link) -> str:
    return f"{link.name} at {link.endpoint}"


def _describe(where: str, away: _Away) -> str:
    moment = datetime.fromtimestamp(away.since_at).astimezone()
    reason = f": {away.reason}" if away.reason else ""
    return f"{where} cannot be reached since {moment:%Y-%m-%d %H:%M:%S}{reason}"
