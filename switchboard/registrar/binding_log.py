"""Tells the log whose registration had to go for want of room: one line each, and not too many."""

import re
from collections.abc import Iterable
from typing import Final

import structlog

from switchboard.core.phones import Allowance
from switchboard.registrar.rules import Displaced

LINES_A_SECOND: Final = 1.0
BURST: Final = 20.0
_LONGEST = 64
_UNPRINTED = re.compile("[^!-~]|=")


class BindingLog:
    """The registrar's; `unlogged` counts what was too much. `now`: monotonic s."""

    def __init__(self, now: float) -> None:
        self.unlogged = 0
        self._room = Allowance(LINES_A_SECOND, BURST, now)

    def tell(self, displaced: Iterable[Displaced], now: float) -> None:
        """Write a line for each of them while there is room."""
        for user, binding, source in displaced:
            if not self._room.take(now):
                self.unlogged += 1
                continue
            structlog.get_logger().warning(
                "registration displaced",
                source=source[0],
                user=_printed(user),
                contact=_printed(binding.contact),
                user_agent=_printed(binding.user_agent),
            )


def _printed(text: str) -> str:
    """What a stranger wrote must not look like a field."""
    return _UNPRINTED.sub("?", text[:_LONGEST])
