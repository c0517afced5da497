"""How often a request is repeated to an address that has never answered anything.

A user agent may register, or be redirected to, an address that is somebody else's, who then gets each request seven
times (timers A and E). Whoever has answered a request of ours once is repeated to as RFC 3261 says; all the others of
one address together get so many repetitions a second.
"""

from typing import Final, Protocol

A_SECOND: Final = 10
"""Repetitions to one address that has never answered."""
ADDRESSES: Final = 20_000
"""That are remembered of those who have answered, since so many others did."""


class Repeating(Protocol):
    """Who counts them."""

    @property
    def withheld(self) -> int: ...
    def answered(self, host: str) -> None: ...
    def allows(self, host: str, now: float) -> bool: ...


class Repetitions:
    """Hosts are IP addresses, `now` is monotonic. `withheld` counts what was not repeated."""

    def __init__(self) -> None:
        self.withheld = 0
        self._young: set[str] = set()
        self._old: set[str] = set()
        self._second = 0
        self._sent: dict[str, int] = {}

    def answered(self, host: str) -> None:
        """A request of ours to `host` was answered."""
        if host in self._young:
            return
        if len(self._young) >= ADDRESSES:
            self._old, self._young = self._young, set()
        self._young.add(host)

    def allows(self, host: str, now: float) -> bool:
        """Whether a request may be repeated to `host` at this moment; it counts as one if it may."""
        if host in self._young or host in self._old:
            return True
        if int(now) != self._second:
            self._second, self._sent = int(now), {}
        sent = self._sent.get(host, 0)
        if sent >= A_SECOND:
            self.withheld += 1
            return False
        self._sent[host] = sent + 1
        return True
