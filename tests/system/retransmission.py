"""What a phone sends again until it is answered (RFC 3261 §17.1.1.2, §17.1.2.2, §17.2.1, §13.3.1.4)."""

from collections.abc import Callable
from math import inf

from system.net import Net

T1_S = 0.5
T2_S = 4.0
LIFETIME_S = 64 * T1_S


class Retransmission:
    """Calls `send` after T1, 2*T1, 4*T1 …, at most `longest_s` apart, for 64*T1 or until it is stopped.

    It never begins in a Net whose phones do not retransmit, or if it is not `needed`.
    """

    def __init__(
        self, net: Net, send: Callable[[], None], longest_s: float = inf, *, needed: bool = True
    ) -> None:
        self._net = net
        self._send = send
        self._interval = T1_S
        self._longest = longest_s
        self._left = LIFETIME_S
        self._stopped = not (net.retransmits and needed)
        self._plan()

    def slow_down(self) -> None:
        """From the next time on T2 apart: a provisional response came (timer E)."""
        self._interval = T2_S

    def stop(self) -> None:
        """Send it no more."""
        self._stopped = True

    def _plan(self) -> None:
        if not self._stopped and self._interval <= self._left:
            self._left -= self._interval
            self._net.later(self._interval, self._fire)

    def _fire(self) -> None:
        if not self._stopped:
            self._send()
            self._interval = min(2 * self._interval, self._longest)
            self._plan()
