"""Where the JSON API waits for others: on threads, a few at a time, so that the pages find a thread, too."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from switchboard.console.api.problems import told

T = TypeVar("T")
MOST = 3


class Workshop:
    """Owns the turns."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(MOST)

    async def run(self, work: Callable[[], T]) -> T:
        """What `work`, on a thread, returns. Problem: what it has raised."""
        async with self._turns:
            with told():
                return await asyncio.to_thread(work)
