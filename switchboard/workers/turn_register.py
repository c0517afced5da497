"""Whose turn it is in groups, at the first registrar: all routers tell it, and hear what the others have told."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from switchboard.bus.peer import Publisher
from switchboard.core.call_rules import GROUP
from switchboard.core.turns import Turns, read_turn
from switchboard.registrar.turn_store import TurnStore

A_FRAME: Final = 1_000
"""Numbers."""


class TurnRegister:
    """Keeps the numbers on the disk, at most a second late, and tells all routers each change at once (turns.now)."""

    def __init__(self, path: Path, publisher: Publisher) -> None:
        self._store = TurnStore(path)
        self.writing = self._store.writing
        self._turns = Turns(self._store.read())
        self._life = os.urandom(4).hex()
        self._publisher = publisher

    def __len__(self) -> int:
        return len(self._turns)

    def take(self, items: Sequence[Any], at: float) -> int:
        """Take what a router tells; returns how many items are none. `at`: epoch s, later than any answer."""
        bad, asks = 0, False
        for item in items:
            turn = read_turn(item)
            if turn is None:
                bad += 1
            elif not turn[0]:
                asks = True
            else:
                name, number = turn
                self._turns.raise_to(name, number if name.startswith(GROUP) else min(number, at))
        changes = self._turns.take_changes()
        self._store.put(changes)
        self._tell(self._turns.all() if asks else [each for each in changes.items() if each[1] is not None])
        return bad

    def greet(self) -> None:
        """Tell routers that this process is there; to whom it is new, they tell what they know, and ask."""
        self._publisher.send("turns.now", [self._life, []])

    def keep(self) -> None:
        """Write what has changed."""
        self._store.write()

    def _tell(self, turns: Sequence[tuple[str, float | None]]) -> None:
        for start in range(0, len(turns), A_FRAME):
            self._publisher.send("turns.now", [self._life, turns[start : start + A_FRAME]])

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()
