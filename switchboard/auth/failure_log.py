"""Tells the log who was turned away: one line each, in the form that fail2ban reads, and not too many."""

import re
from collections.abc import Iterable
from typing import Final

import structlog

from switchboard.auth.failures import Failure
from switchboard.core.phones import Allowance

LINES_A_SECOND: Final = 10.0
BURST: Final = 50.0
_LONGEST = 64
_ODD = re.compile(r"[^A-Za-z0-9._+\-@%*]")


class FailureLog:
    """One worker's; `unlogged` counts what was too much. `now`: monotonic s."""

    def __init__(self) -> None:
        self.unlogged = 0
        self._room = Allowance(LINES_A_SECOND, BURST, 0.0)

    def tell(self, failures: Iterable[Failure], now: float) -> None:
        """Write a line for each of them while there is room."""
        for failure in failures:
            if not self._room.take(now):
                self.unlogged += 1
                continue
            structlog.get_logger().warning(
                "auth failed",
                source=failure.source,
                user=_ODD.sub("?", failure.user[:_LONGEST]),
                method=_ODD.sub("?", failure.method[:_LONGEST]),
                reason=str(failure.reason),
                **_if_known(algorithm=failure.algorithm, user_agent=failure.user_agent),
            )


def _if_known(**details: str) -> dict[str, str]:
    return {name: _ODD.sub("?", text) for name, text in details.items() if text}
