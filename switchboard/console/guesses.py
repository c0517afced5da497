"""Guessed passwords at the login: the guesser is slowed down, and nobody else.

Theory. Each source has its own count of failures, and there is no total count that an attacker could exhaust. The
cost of many sources together is bounded by work: one hash at a time, on a thread that yields to the calls. Once the
right password was shown, later ones are recognised without that work, by a hash under a key that exists in this
process only. Then no number of guessers delays a user who knows the password. A browser that has logged in before is
a source of its own, even if others guess at its address.
"""

import asyncio
import hashlib
import hmac
import os
import secrets
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from switchboard.bounded import Generations
from switchboard.settings.password import PasswordHash

FREE = 5
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 300.0
FORGIVEN_S = 3600.0
"""Failures are forgotten when none has followed for so long."""
MOST_SOURCES = 10_000


@dataclass(frozen=True, slots=True)
class Guesser:
    """`free_at`: when it may try again (monotonic s)."""

    failures: int = 0
    free_at: float = 0.0


class Attempts:
    """The failures of each source. After FREE of them each pause is twice the one before. `now` is monotonic s."""

    def __init__(self) -> None:
        self._guessers: Generations[str, Guesser] = Generations(MOST_SOURCES, FORGIVEN_S)

    def __len__(self) -> int:
        return len(self._guessers)

    def wait_s(self, source: str, now: float) -> float:
        """How long `source` must wait until it may try; 0.0: not at all."""
        self._guessers.age(now)
        return max(0.0, (self._guessers.get(source) or Guesser()).free_at - now)

    def failed(self, source: str, now: float) -> None:
        """Note a wrong password."""
        failures = (self._guessers.get(source) or Guesser()).failures + 1
        pause_s = (
            min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - FREE, 30)) if failures >= FREE else 0.0
        )
        self._guessers.put(source, Guesser(failures, now + pause_s), now)

    def succeeded(self, source: str, now: float) -> None:
        """Forget what `source` has failed."""
        if source in self._guessers:
            self._guessers.put(source, Guesser(), now)


MOST_WAITING = 64
MOST_OF_ONE = 3
_NICE = 10


class TooManyWait(Exception):
    """There is more to check than can be done; who is refused may try again at once."""


class PasswordCheck:
    """Owns the thread that hashes."""

    def __init__(self, password_hash: PasswordHash) -> None:
        self._hash = password_hash
        self._key = secrets.token_bytes(32)
        self._right = b""
        self._turn = asyncio.Semaphore(1)
        self._waiting: Counter[str] = Counter()
        self._thread = ThreadPoolExecutor(1, "console-password", _yield_to_others)

    async def fits(self, password: str, source: str, may_try: Callable[[], bool]) -> bool:
        """Whether it is the password. TooManyWait.

        `may_try` is asked again when it is this one's turn: False makes it a wrong one.
        """
        if self._right:
            return hmac.compare_digest(self._sum(password), self._right)
        if self._waiting.total() >= MOST_WAITING or self._waiting[source] >= MOST_OF_ONE:
            raise TooManyWait
        self._waiting[source] += 1
        try:
            async with self._turn:
                return may_try() and await self._compute(password)
        finally:
            self._waiting -= Counter([source])

    async def _compute(self, password: str) -> bool:
        loop = asyncio.get_running_loop()
        fits = await loop.run_in_executor(self._thread, self._hash.fits, password)
        if fits:
            self._right = self._sum(password)
        return fits

    def _sum(self, password: str) -> bytes:
        return hmac.digest(self._key, password.encode(errors="replace"), hashlib.sha256)


def _yield_to_others() -> None:
    """On Linux a thread has a niceness of its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
