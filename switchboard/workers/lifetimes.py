"""Lets bindings end at a registrar: when their time is over, by a clock that may be in doubt (`switchboard.clock`)."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

from switchboard.clock import GRACE_S, SteadyClock, boot_id, describe
from switchboard.registrar.grace import Grace
from switchboard.registrar.rules import Registrar
from switchboard.registrar.sqlite import SqliteStore
from switchboard.registrar.store import Change
from switchboard.storage.unusable import NotWritten

LOOK_EVERY_S: Final = 1.0
PURGED_AT_ONCE: Final = 300
"""Users in one commit, some milliseconds long. What waits meanwhile is answered before the next one."""
PURGE_PAUSE_S: Final = 0.01


class Lifetimes:
    """Those of the bindings of a store. `changed` hears of bindings that got grace, `expired` of those that have ended.

    With a shared store, lifetimes count by the server's clock, which is in no doubt here.
    """

    def __init__(
        self,
        store: SqliteStore,
        registrar: Registrar,
        clock: SteadyClock,
        changed: Callable[[Change], None],
        expired: Callable[[Change], None],
    ) -> None:
        self.is_purging = False
        """Whether the last look has removed something, and there may be more."""
        self._store = store
        self._registrar = registrar
        self._clock = clock
        self._changed = changed
        self._expired = expired
        self._next_look = 0.0
        doubt = clock.doubt
        self._grace = Grace(store, doubt, boot_id()) if doubt and store.fd is None else None
        self._look_at_clock()

    @property
    def due_at(self) -> float:
        """When `handle_timer` has something to do (monotonic s)."""
        return 0.0 if self._grace and not self._store.writing.error else self._next_look

    def handle_timer(self, now: float) -> None:
        """Give some users grace, or remove some of what has expired."""
        if self._grace and not self._store.writing.error:
            self._give(self._grace)
        if now >= self._next_look:
            self._look_at_clock()
            more = not (self._grace or self._store.writing.error) and self._purge()
            self._next_look = now + (PURGE_PAUSE_S if more else LOOK_EVERY_S)

    def notes(self) -> list[str]:
        """What is wrong with the clock, as long as it matters."""
        if self._store.fd is not None:
            return []
        doubt, bindings = self._clock.doubt, self._store.count()[1]
        left_s = doubt.since + GRACE_S - self._clock.at() if doubt else 0.0
        if not bindings or (left_s <= 0 and not self._clock.is_behind):
            return []
        return [
            f"{self._doubt()}; bindings of before are kept for {GRACE_S / 60:g} min, or what they had left"
        ]

    def _give(self, grace: Grace) -> None:
        with suppress(NotWritten):
            self._changed(grace.go_on())
        if grace.is_over:
            self._grace = None
            if grace.bindings:
                structlog.get_logger().warning(
                    "bindings were given grace", bindings=grace.bindings, why=self._doubt()
                )

    def _look_at_clock(self) -> None:
        if step := self._clock.look():
            structlog.get_logger().warning("the wall clock was set; bindings live on", by_s=round(step, 3))
        self._registrar.correction_s = self._clock.correction_s

    def _doubt(self) -> str:
        return f"the clock was {describe(self._clock.doubt)}" if self._clock.doubt else ""

    def _purge(self) -> bool:
        """Remove what has expired of some users; whether there may be more."""
        more = self.is_purging = False
        with suppress(NotWritten):
            with self._store.expiring() as change:
                more = self._registrar.purge(self._clock.at(), PURGED_AT_ONCE)
            self.is_purging = more and bool(change.records)
            self._expired(change)
        return more
