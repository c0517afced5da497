"""The bindings after a start of the machine with a clock that cannot be trusted (`switchboard.clock`).

The length of the pause is unknown. If the clock is ahead, all bindings seem to have expired; they get GRACE_S, in
which phones may register again, and no more. If the clock is behind, no binding has expired; each keeps its
remaining time, and GRACE_S at least. Only bindings from before the start change: those of users whose last record
has a number up to that of the start.
"""

from typing import Final

from switchboard.clock import GRACE_S, Doubt
from switchboard.registrar.sqlite import SqliteStore
from switchboard.registrar.store import Change

USERS_AT_ONCE: Final = 500


class Grace:
    """Changes the bindings of a store, some users at a time. `boot`: which this is; it is done once in each."""

    def __init__(self, store: SqliteStore, doubt: Doubt, boot: str) -> None:
        self._store = store
        self._doubt = doubt
        self._boot = boot
        self._last: int | None = None
        self._users: list[str] = []
        self.until = doubt.since + GRACE_S
        self.bindings = 0
        """How many were changed by this process."""
        self.is_over = False

    def go_on(self) -> Change:
        """Change the bindings of the next users. NotWritten: they are still the next ones."""
        if self._last is None:
            self._last = self._store.begin_grace(self._boot)
            self._users = self._store.table.users() if self._last else []
        users = self._users[-USERS_AT_ONCE:]
        with self._store.batch() as change:
            changed = sum(self._change(user) for user in users if self._store.table.row(user) <= self._last)
        self.bindings += changed
        del self._users[-USERS_AT_ONCE:]
        if not self._users:
            self._store.end_grace()
            self.is_over = True
        return change

    def _change(self, user: str) -> int:
        """Returns how many bindings were."""
        bindings = self._store.bindings(user)
        changed = [each._replace(expires_at=self._end(each.expires_at)) for each in bindings]
        if changed == bindings:
            return 0
        self._store.put(user, changed)
        return len(bindings)

    def _end(self, expires_at: float) -> float:
        return self.until if self._doubt.by_s > 0 else max(self.until, expires_at)
