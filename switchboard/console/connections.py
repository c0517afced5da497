"""The limits of the console's connections: their number, the time that each may wait, and which one gives way.

Theory. A connection *waits* while it is the browser's turn: to send the head or the body of a request, or to read. A
connection that waits longer than `limit_s` is closed. If there are too many, of one address or in total, the one
that has waited longest is closed for the new one; connections without a session of ours come first. So idle
connections keep nobody out. A new connection at a time when none waits gets a spare place, which serves health and
metrics only.
"""

from collections.abc import Collection
from typing import Protocol

from switchboard.core.domains import site_of as site_of

MOST = 200
SPARE = 56
MOST_OF_ONE = 64
"""Connections of one address, or of one IPv6 site. A browser opens six."""
HEAD_S = 10.0
"""From the connection, or the last answer, to the end of the head of a request."""
BODY_S = 20.0
PROXIES = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
"""Where a proxy on this machine comes from."""
UNREAD_S = 60.0
"""So long an answer may lie in our buffer, 48 KB of it or all."""
GUEST = "switchboard.guest"
"""Where the scope of a request has its connection (a Guest)."""


class Guest(Protocol):
    """One connection. `site` is "" where many come by one address (a proxy); instants are monotonic s."""

    site: str
    is_known: bool
    """Whether it has shown a session of ours."""
    is_spare: bool
    """Whether it is to be served health and metrics only."""
    since: float
    """When it began to wait, or to be served."""

    def limit_s(self) -> float | None:
        """How long it may wait; None: it is our turn."""

    def tell_late(self) -> None:
        """It has waited for too long: end it, with a word if it has begun a request."""

    def drop(self) -> None:
        """End it at once."""


class Connections:
    """Owns the guests. The counters are for `stats`."""

    def __init__(self) -> None:
        self.late = self.displaced = self.refused = self.bad_requests = self.bad_tls = 0
        self._guests: set[Guest] = set()

    def __len__(self) -> int:
        return len(self._guests)

    def admit(self, guest: Guest) -> bool:
        """Give it a place; False: there is none."""
        is_spare = bool(guest.site) and not self._has_room(self._of(guest.site), MOST_OF_ONE)
        guest.is_spare = not self._has_room(self._guests, MOST) or is_spare
        if len(self._guests) >= MOST + SPARE:
            self.refused += 1
            return False
        self._guests.add(guest)
        return True

    def leave(self, guest: Guest) -> None:
        """It has ended."""
        self._guests.discard(guest)

    def look(self, now: float) -> None:
        """End those that have waited for too long."""
        for guest in list(self._guests):
            limit_s = guest.limit_s()
            if limit_s is not None and now >= guest.since + limit_s:
                self.late += 1
                guest.tell_late()

    def end(self) -> None:
        """End them all."""
        for guest in list(self._guests):
            guest.drop()

    def stats(self) -> dict[str, float]:
        """How many there are, and what became of others."""
        return {
            "connections": len(self._guests),
            "connections.late": self.late,
            "connections.displaced": self.displaced,
            "connections.refused": self.refused,
            "bad_requests": self.bad_requests,
            "bad_tls": self.bad_tls,
        }

    def _of(self, site: str) -> Collection[Guest]:
        return [each for each in self._guests if each.site == site]

    def _has_room(self, among: Collection[Guest], most: int) -> bool:
        """Whether there are fewer than `most`, now that the one that waits longest has gone for it."""
        if len(among) < most:
            return True
        waiting = [each for each in among if each.limit_s() is not None]
        if not waiting:
            return False
        first = min(waiting, key=lambda each: (each.is_known, each.since))
        self._guests.remove(first)
        self.displaced += 1
        first.drop()
        return True
