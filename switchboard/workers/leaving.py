"""The end of a router that takes no new calls, since there are fewer than before: it finishes its own, and leaves."""

from switchboard.core.transaction_log import BASE
from switchboard.edge.held_calls import ANSWERS, ASK_EVERY_S
from switchboard.wal.router_log import RouterLog

LINGER_S = 3 * ASK_EVERY_S
"""After the last answer to edge-rx, which may have crossed a request that was under way."""
LOOK_S = 0.5
"""Between two looks whether it is time."""


class Leaving:
    """Whether router `instance` may go. `now`: monotonic s."""

    def __init__(self, log: RouterLog, instance: int) -> None:
        self._log = log
        self._instance = instance
        self._empty_answers = 0
        self._answered_at = 0.0

    def answered(self, routers: frozenset[int], calls: int, now: float) -> None:
        """edge-rx, which gives new calls to these routers, was told how many calls are held."""
        is_over = self._instance not in routers and not calls
        self._empty_answers = self._empty_answers + 1 if is_over else 0
        self._answered_at = now

    def is_over(self, now: float) -> bool:
        """Whether nothing is awaited, the journal has all events, and edge-rx knows it."""
        return (
            self._empty_answers >= ANSWERS
            and now >= self._answered_at + LINGER_S
            and not self._log.events.waiting
            and not self._transactions()
        )

    def note(self) -> str:
        """For people."""
        return (
            f"leaving, since there are fewer routers: {self._transactions()} transactions, "
            f"{self._log.events.waiting} events for the journal to go"
        )

    def _transactions(self) -> int:
        return sum(key[:1] == BASE for key in self._log.keyed)
